"""Pages of the small study, rendered once."""

import shutil

import pytest
import rendering


@pytest.fixture(scope="session")
def rendered():
    """The rendered small study; removed at the end."""
    yield rendering.rendered()
    shutil.rmtree(rendering.rendered().raw.parent, ignore_errors=True)
    rendering.rendered.cache_clear()
