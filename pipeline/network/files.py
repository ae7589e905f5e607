"""Model files: ``queuevisor-network/1`` JSON, and JMT's JMVA XML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.network.jmva import from_jmva, to_jmva
from pipeline.network.model import ModelError, Network

JMVA_SUFFIXES = (".jmva", ".xml")


def read_model(path: Path) -> Network:
    """Read a model file: JSON, or JMVA by its suffix (.jmva, .xml).

    Parameters
    ----------
    path : Path

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If the file cannot be read or holds no valid model; the text starts with the path.

    Examples
    --------
    >>> network = read_model(Path("host.json"))  # doctest: +SKIP
    """
    try:
        data = files.read_regular_file(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path
        raise ModelError(f"{path}: cannot be read: {error}") from None
    try:
        if path.suffix.lower() in JMVA_SUFFIXES:
            return from_jmva(data)
        return parse_model(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def parse_model(data: bytes | str) -> Network:
    """The network of a JSON text; raises :class:`ModelError`."""
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise ModelError(f"not UTF-8 (byte {error.start})") from None
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ModelError(
            f"not JSON: line {error.lineno} column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise ModelError("not a model: nested too deeply") from None
    except ModelError:
        raise
    except ValueError as error:  # an integer of more digits than Python reads
        raise ModelError(f"not JSON: {str(error).split(';')[0]}") from None
    return Network.from_dict(document)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ModelError(f"duplicate key {json.dumps(key)[:60]} in one object")
            seen.add(key)
    return result


def _refuse_constant(text: str) -> float:
    raise ModelError(f"{text} is not a valid number")


def format_model(network: Network) -> str:
    """The network as indented JSON."""
    return json.dumps(network.to_dict(), indent=1, ensure_ascii=False) + "\n"


def write_model(network: Network, path: Path) -> list[str]:
    """Write a network as JSON (.json) or JMVA (.jmva, .xml).

    Parameters
    ----------
    network : Network
    path : Path

    Returns
    -------
    list of str
        The parts of the model that the format cannot hold.

    Raises
    ------
    ModelError
        For any other suffix, or if the file cannot be written.

    Examples
    --------
    >>> losses = write_model(network, Path("host.jmva"))  # doctest: +SKIP
    """
    losses: list[str] = []
    if path.suffix.lower() in JMVA_SUFFIXES:
        text, losses = to_jmva(network)
    elif path.suffix.lower() == ".json":
        text = format_model(network)
    else:
        raise ModelError(f"{path}: unsupported suffix; use .json, {' or '.join(JMVA_SUFFIXES)}")
    try:
        files.write_text(path, text)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from None
    return losses
