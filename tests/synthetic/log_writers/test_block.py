"""Lines of recorded disk statistics, formatted again, are the same."""

from pipeline.synthetic.log_writers import block


def test_fields_of_a_disk(recorded):
    for line in recorded("host/block.log").splitlines():
        if line.startswith("/sys/block/"):
            name, numbers = line.split(":")
            assert f"{name}:{block.format_fields(*map(int, numbers.split()))}" == line
