"""One source of truth for dependencies: pyproject.toml; the others follow it, and they do together what is asked."""

import os
import re
import subprocess
import sys
import tomllib

import yaml


def requirements(root) -> dict[str, str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    split = (re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(.*)", text) for text in wanted)
    return dict(match.groups() for match in split) | {"python": project["requires-python"]}


CONDA_FORGE = {"playwright-python": "playwright"}
"""Packages that have another name there."""


def test_environment_yml_has_the_names_and_bounds_of_pyproject(root):
    *listed, pip = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in listed if entry != "pip"]
    assert pip["pip"].pop() == "--editable ."
    plain += pip["pip"]  # not on conda-forge
    found = {re.match(r"[A-Za-z0-9._-]+", entry)[0]: entry for entry in plain}
    bounds = {CONDA_FORGE.get(name, name): entry[len(name) :] for name, entry in found.items()}
    assert bounds == requirements(root)


def test_lock_pins_every_dependency_with_hashes_and_names_no_index(root):
    text = (root / "requirements.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==\S+(.*(?:\n    --hash=.*)+)", text, re.M)
    pinned = {name.lower().replace("_", "-") for name, _ in pins}
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.M))
    assert all("--hash=sha256:" in rest for _, rest in pins)
    assert {name.lower() for name in requirements(root)} - {"python"} <= pinned


def test_lock_keeps_the_bounds_of_pyproject(root):
    from packaging.specifiers import SpecifierSet

    text = (root / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.M))
    for name, bounds in requirements(root).items():
        if name != "python":
            assert pins[name.lower()] in SpecifierSet(bounds), name


def test_tests_of_a_group_run_on_one_worker(tmp_path):
    """What they share is made once a worker. pytest 9.2 and xdist 3.8 forget groups and say nothing of it."""
    (tmp_path / "test_group.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.xdist_group('report')\n"
        "@pytest.mark.parametrize('n', range(8))\n"
        "def test(n): print('ran on', os.environ['PYTEST_XDIST_WORKER'])\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-rP"]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
    )
    workers = re.findall(r"^ran on (\w+)$", done.stdout, re.M)
    assert len(workers) == 8 and len(set(workers)) == 1, done.stdout
