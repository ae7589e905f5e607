"""Small notebooks to run and to make pages of."""

import re
import textwrap
from pathlib import Path

import nbformat

HOSTILE = "<script>alert(1)</script>"


def notebook(
    *cells: str, parameters: str = 'study: str = "s"  # the study'
) -> nbformat.NotebookNode:
    """A notebook of a title, a parameters cell and code cells; a cell that starts with # is Markdown."""
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata.language_info = {"name": "python"}
    made.cells = [
        nbformat.v4.new_markdown_cell("# A title\n\nWith $R_{cpu} = \\frac{T}{n}$."),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(
            nbformat.v4.new_markdown_cell(cell)
            if cell.startswith("#")
            else nbformat.v4.new_code_cell(textwrap.dedent(cell).strip())
            for cell in cells
        ),
    ]
    return made


def write(path: Path, made: nbformat.NotebookNode) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


CHART = """
import polars as pl
from pipeline import charts
from pipeline.report import show
show.setup()
frame = pl.DataFrame({"variant": ["<script>alert(1)</script>", "b"], "value": [1.0, 2.0],
                      "low": [None, None], "high": [None, None]})
show.key_figures({"one": "1", "<b>two</b>": "2"})
show.figure(charts.variants(frame, title="A chart", axis="ms"), "A *caption*.", frame)
"""


def outside_addresses(text: str) -> list[str]:
    """Addresses in a page that a browser might fetch from elsewhere."""
    addresses = re.findall(
        r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?([^"'\s>]+)""", text
    )
    addresses += re.findall(r"url\(([^)]*)\)|@import\s+([^;]*)", text)
    flat = [a if isinstance(a, str) else "".join(a) for a in addresses]
    return [a for a in flat if re.match(r"(?:[a-z]+:)?//|https?:", a.strip("'\""))]


CHILDREN = """
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "600"])
pathlib.Path(study).write_text(f"{os.getpid()} {child.pid}")
print("before")
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
