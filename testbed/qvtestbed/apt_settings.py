"""The machine's own apt settings, as mmdebstrap takes them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def apt_options() -> list[str]:
    """The machine's own proxy settings, if it has some."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    return [
        f"--aptopt={line}"
        for line in dump.splitlines()
        if line.startswith("Acquire::http") and "roxy" in line
    ]


def debian_sources(folder: Path = Path("/etc/apt")) -> list[str]:
    """The machine's own Debian mirror, as mmdebstrap takes it; nothing if there is none.

    Only the address is taken over: the suite and component are ours. Without one, mmdebstrap
    takes Debian's usual address."""
    candidates = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".list":
            candidates += one_line_sources(text)
        else:
            candidates += deb822_sources(text)
    for uri in candidates:
        return [uri]
    return []


def one_line_sources(text: str) -> list[str]:
    """Addresses of lines `deb [options] URI bookworm main…`."""
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 4 or words[0] != "deb":
            continue
        if words[1].startswith("["):
            while words[1:] and not words[1].endswith("]"):
                del words[1]
            del words[1]
        if len(words) > 3 and words[2] == "bookworm" and "main" in words[3:]:
            found.append(words[1])
    return found


def deb822_sources(text: str) -> list[str]:
    """Addresses of paragraphs with `Types: deb`, `Suites: … bookworm …`, `Components: … main …`."""
    found = []
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.splitlines():
            if not line.startswith("#") and ":" in line and not line[0].isspace():
                name, _, value = line.partition(":")
                fields[name.lower()] = value.split()
        if (
            "deb" in fields.get("types", [])
            and "bookworm" in fields.get("suites", [])
            and "main" in fields.get("components", [])
            and fields.get("enabled") != ["no"]
        ):
            found += fields.get("uris", [])[:1]
    return found
