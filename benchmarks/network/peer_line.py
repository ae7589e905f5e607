"""LINE's part of benchmarks/network/run.py; runs in line-solver's environment, prints one JSON object."""

import json
import sys
import time

import numpy as np
from line_solver.api.pfqn import pfqn_mva
from line_solver.api.pfqn.mvald import pfqn_mvams


def timed(repeats, function):
    """Median CPU time, and the result."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        answer = function()
        times.append(time.process_time() - began)
    return {"seconds": sorted(times)[len(times) // 2], "answer": answer}


def closed(case):
    """Throughputs by exact MVA."""
    demands, populations = np.array(case["demands"]), np.array(case["populations"])
    think = np.array(case["think"])
    return lambda: [float(x) for x in np.ravel(pfqn_mva(demands, populations, think)[0])]


def servers(case):
    """Throughput with several servers."""
    demands, populations = np.array(case["demands"]), np.array(case["populations"])
    zero, one = np.zeros(1), np.ones(1)
    count = np.array(case["servers"])
    return lambda: [
        float(x) for x in np.ravel(pfqn_mvams(zero, demands, populations, zero, one, count)[0])
    ]


def open_rates(case):
    """Last response time of a sweep, one model per rate."""
    from line_solver import Exp, Network, OpenClass, Queue, SchedStrategy, Sink, SolverMVA, Source

    def solve(rate):
        model = Network("open")
        source, sink = Source(model, "source"), Sink(model, "sink")
        queues = [Queue(model, f"q{k}", SchedStrategy.PS) for k in range(len(case["demands"]))]
        one = OpenClass(model, "one")
        source.setArrival(one, Exp(rate))
        for queue, (demand,) in zip(queues, case["demands"], strict=True):
            queue.setService(one, Exp.fitMean(demand))
        model.link(Network.serialRouting(source, *queues, sink))
        table = SolverMVA(model, verbose=False).getAvgTable()
        return float(np.sum([float(x) for x in table["RespT"]]))

    def sweep():
        every = case["points"] // case["line_points"]
        rates = np.linspace(0, case["top"], case["points"] + 2)[1:-1][::-1][::every][::-1]
        return [solve(rate) for rate in rates][-1:]

    return sweep


def main():
    """Run the cases on standard input."""
    cases = json.load(sys.stdin)
    result = {
        "one": timed(5, closed(cases["one"])),
        "two": timed(3, closed(cases["two"])),
        "servers": timed(3, servers(cases["servers"])),
    }
    if cases["open"]["line_points"]:
        result["open"] = timed(1, open_rates(cases["open"]))
    print("RESULT " + json.dumps(result))


main()
