"""What a contributor and a user of the repository rely on: one version, licences, an index of decisions."""

import re
import tomllib

import yaml

import pipeline

VERSION = re.compile(r"^## ([0-9]+\.[0-9]+\.[0-9]+)", re.M)


def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere(root):
    recorder = (root / "collectors" / "client" / "raw_run.py").read_text()
    assert {
        pipeline.__version__,
        project(root)["version"],
        yaml.safe_load((root / "CITATION.cff").read_text())["version"],
        VERSION.search((root / "CHANGELOG.md").read_text())[1],
        re.search(r'^VERSION = "queuevisor-record ([0-9.]+)"', recorder, re.M)[1],
    } == {project(root)["version"]}


def test_changelog_has_one_line_per_change_under_known_headings(root):
    for line in (root / "CHANGELOG.md").read_text().splitlines():
        if line.startswith("### "):
            assert line in ("### Added", "### Changed", "### Fixed")
        assert not line.startswith((" ", "\t", "* ")), line


def test_licences_are_stated(root):
    assert project(root)["license"] == "MIT"
    assert yaml.safe_load((root / "CITATION.cff").read_text())["license"] == "MIT"
    for folder, licence in (
        (root, "MIT"),
        (root / "data" / "raw", "CC-BY-4.0"),
        (root / "notebooks" / "course", "CC-BY-4.0"),
    ):
        (path,) = folder.glob("LICENSE*")
        assert f"SPDX-License-Identifier: {licence}\n" in path.read_text(), path


def test_decisions_have_a_status_and_a_date_and_are_in_the_index(root):
    folder = root / "docs" / "decisions"
    rows = re.findall(
        r"^\| \[(.+)\]\((.+)\) \| (.+) \| (.+) \|$", (folder / "README.md").read_text(), re.M
    )
    heads = []
    for path in sorted(folder.glob("[0-9]*.md")):
        title, _, state, *_ = path.read_text().splitlines()
        status, date = re.fullmatch(r"Status: (.+) · Date: (\d{4}-\d\d-\d\d)", state).groups()
        assert title.startswith(f"# {int(path.name[:4])}. ")
        heads.append((title.removeprefix("# "), path.name, status, date))
    assert rows == heads
    assert [int(name[:4]) for _, name, *_ in heads] == list(range(1, len(heads) + 1))


def test_pre_commit_hooks_run_the_locked_tools(root):
    (repository,) = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert {"ruff-check", "ruff-format", "nbstripout", "check-added-large-files"} == set(hooks)
    locked = (root / "requirements.lock").read_text()
    for hook in hooks.values():
        if hook["language"] == "system":
            program = hook["entry"].split()[0].removeprefix(".venv/bin/")
            assert re.search(rf"^{program}==", locked, re.M), program


def test_what_make_check_leaves_out_is_there(root, request):
    """A test or folder that was renamed would become part of `make check` unnoticed."""
    slow = request.config.pluginmanager.get_plugin(str(root / "tests" / "conftest.py")).SLOW
    names = [path.relative_to(root).as_posix() + "::" for path in (root / "tests").rglob("*.py")]
    tests = [
        "::" + name
        for path in (root / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    ]
    assert [part for part in slow if not any(part in name for name in (*names, *tests))] == []
