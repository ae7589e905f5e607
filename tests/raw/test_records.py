"""Safe names."""

import os
import string

from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw import (
    is_safe_name,
)


@given(st.text(alphabet=string.printable + "é\0/\\", max_size=20))
def test_a_safe_name_never_leaves_its_folder(name):
    if is_safe_name(name):
        assert "/" not in name and "\0" not in name and not name.startswith(".")
        assert os.path.normpath(f"/a/{name}") == f"/a/{name}"
