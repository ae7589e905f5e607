"""Packages of pipeline/ are in layers (docs/decisions); each imports only from the lines above its own."""

import ast
import json

LINES = [
    {"errors"},
    {"distributions", "escape", "files", "jsonschema_import", "kinds", "redact", "units"},
    {"tables"},
    {"storage"},
    {"workers"},
    {"raw"},
    {"parse"},
    {"ingest", "assemble"},
    {"measure"},
    {"cited_models", "equations", "network", "factors"},
    {"ledger"},
    {"audit", "demands"},
    {"quality", "model"},
    {"evaluate"},
    {"charts"},
    {"api"},
    {"synthetic", "simulated"},
    {"course"},
    {"report"},
    {"cli"},
]
MAX_LINES, MIN_LINES = 450, 40
"""Of a module; a shorter one gives the reason in its docstring, with the word "because"."""

LINE_OF = {package: line for line, packages in enumerate(LINES) for package in packages}


def imported_packages(path) -> set[str]:
    """Packages of pipeline/ that a module imports anywhere in its text."""
    return packages_imported_by(path.read_text())


def packages_imported_by(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in names if name.startswith("pipeline.")} & set(LINE_OF)


def test_each_package_imports_only_from_lines_above_its_own(root):
    wrong = []
    for path in sorted((root / "pipeline").rglob("*.py")):
        package = path.relative_to(root / "pipeline").parts[0].removesuffix(".py")
        if package == "__init__":
            continue
        assert package in LINE_OF, f"{path} belongs to no line of this test"
        wrong += [
            f"{path.relative_to(root)}: {package} imports {other}"
            for other in sorted(imported_packages(path) - {package})
            if LINE_OF[other] >= LINE_OF[package]
        ]
    assert wrong == []


def test_modules_are_neither_long_nor_short_without_a_reason(root):
    wrong = []
    for path in sorted((root / "pipeline").rglob("*.py")):
        source = path.read_text()
        length = len(source.splitlines())
        reason = "because" in (ast.get_docstring(ast.parse(source)) or "")
        if length > MAX_LINES or (length < MIN_LINES and not reason):
            wrong.append(f"{path.relative_to(root)}: {length} lines")
    assert wrong == []


FOR_PAGES = {
    "errors",
    "escape",
    "files",
    "jsonschema_import",
    "tables",
    "units",
    "storage",
    "workers",
    "evaluate",
    "charts",
    "api",
}
"""What pages and the command line may use, in addition to what is on their own lines and between."""


def test_pages_notebooks_and_commands_use_nothing_below_the_api(root):
    allowed = FOR_PAGES | {"course", "synthetic", "report", "cli"}
    sources = {
        path: imported_packages(path)
        for folder in ("report", "cli")
        for path in sorted((root / "pipeline" / folder).rglob("*.py"))
    }
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        sources[path] = packages_imported_by(code)
    wrong = [
        f"{path.relative_to(root)}: {', '.join(sorted(names - allowed))}"
        for path, names in sources.items()
        if names - allowed
    ]
    assert wrong == []
