"""The testbed: two virtual servers under QEMU, and the recording of a study on them."""


class TestbedError(Exception):
    """An error that the user can correct; its message is shown without a traceback."""
