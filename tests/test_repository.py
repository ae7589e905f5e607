"""What is committed: pages link to what exists, nothing generated, nothing large, no trace of a machine."""

import re
import shutil
import subprocess

import pytest


def tracked(root) -> list[str]:
    if not shutil.which("git"):
        pytest.skip("git is not there (apt install git)")
    listed = subprocess.run(
        ["git", "-C", root, "ls-files"], capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_pages_link_to_what_exists(root):
    broken = []
    for name in tracked(root):
        if name.endswith(".md"):
            page = root / name
            for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                target = link.split("#")[0]
                if (
                    target
                    and not re.match(r"[a-z]+:", target)
                    and not (page.parent / target).exists()
                ):
                    broken.append(f"{name}: {link}")
    assert broken == []


@pytest.mark.parametrize("suffix", [".ipynb"])
def test_notebooks_are_committed_without_outputs(root, suffix):
    import json

    for name in tracked(root):
        if name.endswith(suffix):
            notebook = json.loads((root / name).read_text())
            cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            assert not any(cell["outputs"] or cell["execution_count"] for cell in cells), name
            assert "papermill" not in notebook["metadata"], name


def test_nothing_generated_is_committed(root):
    for name in tracked(root):
        assert not re.match(r"reports/|data/processed/(?!README)", name), name
        assert "__pycache__" not in name and ".egg-info" not in name, name


def test_raw_logs_hold_no_path_but_the_testbeds(root):
    """Recorded on a machine that did other things, too: of those nothing may be in the logs."""
    import io

    import zstandard

    wrong = []
    for name in tracked(root):
        if not re.match(r"data/raw/.*/host/.*\.log", name):
            continue
        raw = (root / name).read_bytes()
        if name.endswith(".zst"):
            raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
        for line in raw.decode().splitlines():
            known = re.match(
                r"#|/sys/block/|cpu|top - |Tasks:|%Cpu|MiB |\s*$|Total|Current|Actual|\s*(PID|TID) |[pitvx] \d+ \d+ "
                r"|k pressure (some|full)_us \d+ (cpu|io|memory)$|k cgroup \w+ \d+ /queuevisor/servers$",
                line,
            )
            if not known and "qemu-system" not in line:
                wrong.append(f"{name}: {line[:80]}")
    assert wrong == []


def test_recorded_studies_are_small_enough_to_clone(root):
    sizes = [(root / n).stat().st_size for n in tracked(root) if n.startswith("data/raw/")]
    assert sum(sizes) <= 40 * 2**20
