"""One source of truth for dependencies: pyproject.toml; the others follow it."""

import re
import tomllib

import yaml


def requirements(root) -> dict[str, str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    split = (re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(.*)", text) for text in wanted)
    return dict(match.groups() for match in split) | {"python": project["requires-python"]}


def test_environment_yml_has_the_names_and_bounds_of_pyproject(root):
    listed = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in listed if isinstance(entry, str) and entry != "pip"]
    found = {re.match(r"[A-Za-z0-9._-]+", entry)[0]: entry for entry in plain}
    assert {name: entry.removeprefix(name) for name, entry in found.items()} == requirements(root)


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
