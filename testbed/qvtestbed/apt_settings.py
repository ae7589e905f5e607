"""The apt settings of this machine, as arguments of mmdebstrap."""

from __future__ import annotations

import subprocess
from pathlib import Path


def read_proxy_options() -> list[str]:
    """Return this machine's apt proxy settings as `--aptopt=` options; empty if there are none."""
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    return [
        f"--aptopt={line}"
        for line in settings.splitlines()
        if line.startswith("Acquire::http") and "roxy" in line
    ]


def find_debian_mirror(folder: Path = Path("/etc/apt")) -> list[str]:
    """Return the address of this machine's Debian mirror; empty if it has none.

    Only the address is used; suite and component are the testbed's own. Without an address,
    mmdebstrap uses Debian's default mirror.
    """
    addresses = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".list":
            addresses += parse_one_line_sources(text)
        else:
            addresses += parse_deb822_sources(text)
    return addresses[:1]


def parse_one_line_sources(text: str) -> list[str]:
    """Return the addresses of the lines `deb [options] URI bookworm main…`."""
    addresses = []
    for line in text.splitlines():
        fields = line.split("#")[0].split()
        if len(fields) < 4 or fields[0] != "deb":
            continue
        if fields[1].startswith("["):
            while fields[1:] and not fields[1].endswith("]"):
                del fields[1]
            del fields[1]
        if len(fields) > 3 and fields[2] == "bookworm" and "main" in fields[3:]:
            addresses.append(fields[1])
    return addresses


def parse_deb822_sources(text: str) -> list[str]:
    """Return the addresses of the paragraphs with the type deb, the suite bookworm and the component main."""
    addresses = []
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
            addresses += fields.get("uris", [])[:1]
    return addresses
