"""The lattice of populations against an enumeration."""

import itertools

import numpy as np
import pytest

from pipeline.network.lattice import Lattice, lattice_size, max_layer_size


@pytest.mark.parametrize("populations", [(3,), (2, 4), (1, 2, 3)])
def test_order_layers_and_predecessors(populations):
    lattice = Lattice(np.array(populations))
    states = list(itertools.product(*(range(n + 1) for n in populations)))
    assert lattice_size(np.array(populations)) == len(states)
    ordered = [tuple(row) for row in lattice.numbers.T.tolist()]
    assert sorted(ordered) == sorted(states)
    totals = [sum(state) for state in ordered]
    assert totals == sorted(totals)
    sizes = np.diff(lattice.starts)
    assert sizes.tolist() == [totals.count(total) for total in range(sum(populations) + 1)]
    assert sizes.max() <= max_layer_size(np.array(populations))
    for place, state in enumerate(ordered):
        for c in range(len(populations)):
            before = lattice.predecessors[c, place]
            if state[c] == 0:
                assert before == len(states)
            else:
                assert ordered[before] == (*state[:c], state[c] - 1, *state[c + 1 :])
