"""Imports of the package."""

import ast


def imported_packages(path) -> set[str]:
    return {
        node.module.split(".")[1]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline.")
    }


def test_only_the_command_line_and_the_course_import_the_package(root):
    """No parser or analysis can know that a log is synthetic; the package imports formats and formulas only."""
    for path in (root / "pipeline").rglob("*.py"):
        package = path.relative_to(root / "pipeline").parts[0]
        if package == "synthetic":
            allowed = {"synthetic", "raw", "network", "tables", "units", "errors"}
            assert imported_packages(path) <= allowed, path
        elif package not in {"cli", "course"}:
            assert "synthetic" not in imported_packages(path), path
