"""Packages of pipeline/ stand in lines, as docs/decisions says; each imports only from the lines above its own."""

import ast

LINES = [
    {"files", "redact", "tables", "units"},
    {"raw"},
    {"parse"},
    {"ingest"},
    {"measure"},
    {"equations", "network"},
    {"ledger"},
    {"demands"},
    {"quality", "model"},
    {"evaluate", "published"},
    {"charts"},
    {"api"},
    {"course", "synthetic", "simulated"},
    {"report"},
    {"cli"},
]
LINE_OF = {package: line for line, packages in enumerate(LINES) for package in packages}


def imported_packages(path) -> set[str]:
    """Packages of pipeline/ that a module imports anywhere in its text."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
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
