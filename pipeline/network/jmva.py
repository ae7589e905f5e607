"""JMT's JMVA XML (Bertoli, Casale and Serazzi, JMT user manual, chapter on JMVA), read and written.

JMVA knows delay, queueing (``listation``) and load-dependent (``ldstation``) stations with a service time and a
number of visits for each class, closed classes with a population and open ones with a rate. It knows no think time
(written as a delay station, which is the class's reference station), no scheduling and no variability. Those stand
in a processing instruction ``<?queuevisor …?>`` that JMT passes over: we read everything back; what JMT itself will
not see is told as losses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, indent, tostring
from xml.parsers import expat

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array, Flags
from pipeline.network.model import FORMAT, ModelError, Network, expected, fail, short

TARGET = "queuevisor"
DEEPEST = 50
MOST_TIMES = 10_000
"""Entries of an ldstation's list that are written."""
STATION_TAGS = {"delaystation": "delay", "listation": "queue", "ldstation": "load_dependent"}
UNKNOWN = {
    "arrival_scv": (1.0, "JMVA takes arrivals as Poisson, arrival_scv {:g}"),
    "scheduling": ("ps", "JMVA has no scheduling, {}"),
    "service_scv": (1.0, "JMVA takes service times as exponential, service_scv {:g}"),
}
"""Fields that JMVA has no place for: what it assumes, and what is lost. They stand in our instruction."""
NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 cannot hold, or changes (a carriage return)."""


def to_jmva(network: Network) -> tuple[str, list[str]]:
    """The XML text, and what JMT will not know of the model."""
    losses: list[str] = []
    kept: dict[str, Any] = {}
    model = Element(
        "model",
        {
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "JMTmodel.xsd",
        },
    )
    SubElement(model, "description").text = _legal(network.description, "description")
    parameters = SubElement(model, "parameters")
    classes = SubElement(parameters, "classes", number=str(len(network.classes)))
    for c in network.classes:
        name = _legal(c.name, "class name")
        if c.is_open:
            SubElement(classes, "openclass", name=name, rate=repr(c.rate), priority="0")
            _keep(c, "classes", kept, losses)
        else:
            population = str(c.population)
            SubElement(classes, "closedclass", name=name, population=population, priority="0")
    think = network.think_times
    extra = ""
    if np.any(think > 0):
        extra = "think time"
        while any(s.name == extra for s in network.stations):
            extra += " +"
        kept["think_time_station"] = extra
        losses.append(
            f"think times are written as the delay station {extra!r}, so JMT's response times hold them"
        )
    stations = SubElement(parameters, "stations", number=str(len(network.stations) + bool(extra)))
    if extra:
        row = SubElement(stations, "delaystation", name=extra)
        _times(row, network, think[:, None], think > 0)
    for k, s in enumerate(network.stations):
        _station(stations, network, k, kept, losses)
        _keep(s, "stations", kept, losses)
    if network.visits is None:
        kept["visits"] = False
    reference = SubElement(parameters, "ReferenceStation", number=str(len(network.classes)))
    for i, c in enumerate(network.classes):
        first = network.stations[int(np.argmax(network.demands[:, i] > 0))].name
        station = extra if think[i] > 0 else first
        SubElement(reference, "Class", name=c.name, refStation=station)
    algorithm = SubElement(model, "algParams")
    SubElement(algorithm, "algType", name="MVA", tolerance="1.0E-7", maxSamples="10000")
    SubElement(algorithm, "compareAlgs", value="false")
    indent(model)
    body = tostring(model, encoding="unicode")
    head = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    if kept:
        # no "?>" and no non-ASCII may stand in a processing instruction's JSON
        head += f"<?{TARGET} {json.dumps(kept).replace('?', chr(92) + 'u003f').replace('>', chr(92) + 'u003e')}?>\n"
    return head + body + "\n", losses


def _station(
    stations: Element, network: Network, k: int, kept: dict[str, Any], losses: list[str]
) -> None:
    s = network.stations[k]
    tag = next(tag for tag, kind in STATION_TAGS.items() if kind == s.kind)
    row = SubElement(stations, tag, name=_legal(s.name, "station name"))
    if s.kind != "delay":
        row.set("servers", str(s.servers))
    demands = network.demands[k]
    visits = demands > 0 if network.visits is None else network.visits[k]
    times = network.service_times[k][:, None]
    if s.kind == "load_dependent":
        alpha = np.array(s.rate_multipliers)
        inside = int(network.populations.sum())
        if inside > 0:
            wanted = min(inside, MOST_TIMES)
            if wanted < inside:
                losses.append(
                    f"station {s.name!r}: service times are listed for {wanted} of {inside} customers"
                )
            alpha = _continued(alpha, wanted)[:wanted]
        if network.is_open.any():
            losses.append(
                f"station {s.name!r}: JMVA has no load-dependent stations for open classes"
            )
        if len(alpha) < len(s.rate_multipliers):
            losses.append(f"station {s.name!r}: rate_multipliers beyond {len(alpha)} customers")
        kept.setdefault("stations", {})[s.name] = {
            "rate_multipliers": list(s.rate_multipliers),
            "demands": demands.tolist(),
            "listed": len(alpha),
        }
        times = times / alpha
    _times(row, network, times, visits)


def _keep(one: Any, group: str, kept: dict[str, Any], losses: list[str]) -> None:
    """Keep for our instruction what JMVA has no place for; ``one``: a station or a class."""
    what = "class" if group == "classes" else "station"
    for name, (assumed, loss) in UNKNOWN.items():
        value = getattr(one, name, assumed)
        if value != assumed:
            kept.setdefault(group, {}).setdefault(one.name, {})[name] = value
            losses.append(f"{what} {one.name!r}: {loss.format(value)}")


def _continued(values: ArrayLike, size: int) -> Array:
    """``values`` with the last one repeated up to ``size`` of them."""
    values = np.asarray(values, float)
    return np.pad(values, (0, max(size - len(values), 0)), mode="edge")


def _times(row: Element, network: Network, times: Array, visits: Array | Flags) -> None:
    """``times``: one for each class, or a list for each, with 1, 2, … customers; (C, …)."""
    services = SubElement(row, "servicetimes")
    comes = SubElement(row, "visits")
    for c, listed, visit in zip(network.classes, times.tolist(), visits, strict=True):
        texts = ";".join(repr(time) for time in listed)
        SubElement(services, "servicetime", customerclass=c.name).text = texts
        SubElement(comes, "visit", customerclass=c.name).text = repr(float(visit))


def _legal(text: str, what: str) -> str:
    if NO_XML.search(text):
        raise ModelError(f"the {what} {short(text)} has a character that XML cannot hold")
    return text


def from_jmva(data: bytes) -> Network:
    """Read JMVA XML; raises :class:`ModelError`. What is not taken over is in the network's ``warnings``."""
    root, instruction = _parse(data)
    if root.tag != "model":
        fail(root.tag, "the root element of a JMVA model is <model>")
    parameters = _only(root, "parameters", "model")
    losses: list[str] = []
    classes = _classes(_only(parameters, "classes", "parameters"), losses)
    names = [c["name"] for c in classes]
    kept = _kept(instruction)
    document: dict[str, Any] = {"format": FORMAT}
    description = (root.findtext("description") or "").strip()
    if description:
        document["description"] = description
    document |= {"stations": [], "classes": classes, "demands": {}}
    visits: dict[str, dict[str, float]] = {}
    rows = list(_only(parameters, "stations", "parameters"))
    for i, row in enumerate(rows):
        path = f"stations[{i}]"
        if row.tag not in STATION_TAGS:
            fail(path, f"<{row.tag}> is not one of {', '.join(STATION_TAGS)}")
        name = row.get("name") or fail(path, "a name is missing")
        if name in document["demands"]:
            fail(path, f"the name {short(name)} occurs twice")
        listed = _numbers(row, "servicetimes", "servicetime", names, path)
        come = {c: v[0] for c, v in _numbers(row, "visits", "visit", names, path, 1.0).items()}
        if name == kept.get("think_time_station") and row.tag == "delaystation":
            for one in classes:
                if one["kind"] == "closed":
                    one["think_time"] = listed[one["name"]][0] * come[one["name"]]
            continue
        station: dict[str, Any] = {"name": name, "kind": STATION_TAGS[row.tag]}
        own = _own(kept, "stations", name)
        if row.tag == "listation":
            station["servers"] = _whole(row.get("servers", "1"), f"{path}.servers")
        if row.tag == "ldstation":
            station["rate_multipliers"], listed = _multipliers(listed, path)
            if row.get("servers", "1") != "1":
                losses.append(f"station {name!r}: the servers of a load-dependent station")
        elif any(len(v) != 1 for v in listed.values()):
            fail(path, "one service time for each class is expected")
        for key in ("scheduling", "service_scv"):
            if key in own:
                station[key] = own[key]
        document["stations"].append(station)
        document["demands"][name] = {c: listed[c][0] * come[c] for c in names}
        if row.tag == "ldstation":
            _own_multipliers(station, document["demands"][name], own, names)
        visits[name] = come
    if kept.get("visits") is not False:
        document["visits"] = visits
    for one in classes:
        own = _own(kept, "classes", one["name"])
        if one["kind"] == "open" and "arrival_scv" in own:
            one["arrival_scv"] = own["arrival_scv"]
    for tag, what in (("solutions", "stored solutions"), ("whatIf", "the what-if analysis")):
        if root.find(tag) is not None:
            losses.append(what)
    told = tuple(f"not taken over from JMVA: {loss}" for loss in losses)
    return replace(Network.from_dict(document), warnings=told)


def _own_multipliers(
    station: dict[str, Any], demands: dict[str, float], own: Mapping[str, Any], names: list[str]
) -> None:
    """Take the multipliers and demands that we wrote, if the XML's list still says the same; trim the list."""
    theirs = station["rate_multipliers"]
    while len(theirs) > 1 and theirs[-1] == theirs[-2]:
        station["rate_multipliers"] = theirs = theirs[:-1]
    alpha, mine, listed = own.get("rate_multipliers"), own.get("demands"), own.get("listed")
    if not (isinstance(alpha, list) and isinstance(mine, list) and isinstance(listed, int)):
        return
    try:
        ours = np.array(alpha[:listed], float)
        size = max(len(ours), len(theirs))
        a, b = _continued(ours, size), _continued(theirs, size)
        one = np.array([demands[c] for c in names])
        idle = not any(mine) and not one.any()  # nobody comes, so no list was written
        if idle or (
            np.allclose(a / a[0], b, rtol=1e-12) and np.allclose(mine, one * ours[0], rtol=1e-12)
        ):
            station["rate_multipliers"] = alpha
            demands |= zip(names, mine, strict=True)
    except (TypeError, ValueError, IndexError):
        return


def _multipliers(
    listed: dict[str, list[float]], path: str
) -> tuple[list[float], dict[str, list[float]]]:
    """α(n) = S(1)/S(n), the same for all classes that come."""
    alpha: list[float] | None = None
    for name, times in listed.items():
        if times[0] == 0:
            continue
        if any(t <= 0 for t in times):
            why = "a service time of 0 with some customers cannot be held"
            fail(path, f"class {short(name)}: {why}")
        one = [times[0] / t for t in times]
        if alpha is None:
            alpha = one
        else:
            size = max(len(alpha), len(one))
            pairs = zip(_continued(alpha, size), _continued(one, size), strict=True)
            if any(not math.isclose(a, b, rel_tol=1e-6) for a, b in pairs):
                why = "service times do not change alike with the number of customers"
                fail(path, f"the classes' {why}")
            alpha = max(alpha, one, key=len)
    return alpha or [1.0], {name: times[:1] for name, times in listed.items()}


def _classes(parent: Element, losses: list[str]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    for i, row in enumerate(parent):
        path = f"classes[{i}]"
        name = row.get("name") or fail(path, "a name is missing")
        if row.tag == "closedclass":
            population = _whole(row.get("population", ""), f"{path}.population", least=0)
            own = {"kind": "closed", "population": population, "think_time": 0.0}
        elif row.tag == "openclass":
            own = {"kind": "open", "rate": _number(row.get("rate", ""), f"{path}.rate")}
        else:
            fail(path, f"<{row.tag}> is neither closedclass nor openclass")
        if row.get("priority", "0") not in ("0", ""):
            losses.append(f"class {name!r}: its priority")
        result.append({"name": name, **own})
    return result


def _numbers(
    row: Element, outer: str, inner: str, names: list[str], path: str, default: float | None = None
) -> dict[str, list[float]]:
    block = row.find(outer)
    result: dict[str, list[float]] = {}
    for one in () if block is None else block.findall(inner):
        name = one.get("customerclass")
        if name not in names:
            fail(f"{path}.{outer}", f"unknown class {short(name)}")
        if name in result:
            fail(f"{path}.{outer}", f"class {short(name)} occurs twice")
        texts = [t for t in (one.text or "").split(";") if t.strip()]
        if len(texts) > 1_000_000:
            fail(f"{path}.{outer}", "too many service times")
        result[name] = [_number(t, f"{path}.{outer}.{name}") for t in texts] or fail(
            f"{path}.{outer}.{name}", "a number is missing"
        )
    for name in names:
        if name not in result:
            if default is None:
                fail(f"{path}.{outer}", f"class {short(name)} is missing")
            result[name] = [default]
    return result


def _number(text: str, path: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        expected(path, "a number", text)
    if not math.isfinite(value) or value < 0:
        expected(path, "a finite number that is not negative", text)
    return value


def _whole(text: str, path: str, least: int = 1) -> int:
    value = _number(text, path)
    if value != int(value) or value < least:
        expected(path, f"a whole number from {least}", text)
    return int(value)


def _only(parent: Element, tag: str, path: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        fail(path, f"one <{tag}> is expected, not {len(found)}")
    return found[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _own(kept: Mapping[str, Any], group: str, name: str) -> Mapping[str, Any]:
    return _mapping(_mapping(kept.get(group)).get(name))


def _kept(instruction: str) -> Mapping[str, Any]:
    if not instruction:
        return {}
    try:
        return _mapping(json.loads(instruction))
    except (ValueError, RecursionError):
        raise ModelError(f"the processing instruction {TARGET} is not JSON") from None


def _parse(data: bytes) -> tuple[Element, str]:
    """The tree, without a document type: that is where entities blow up and files get read."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0
    instructions: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ModelError("not a JMVA model: nested too deeply")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise ModelError("not a JMVA model: a document type declaration is refused")

    def instruction(target: str, text: str) -> None:
        if target == TARGET:
            instructions.append(text)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    parser.ProcessingInstructionHandler = instruction
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"not XML: {error}") from None
    return builder.close(), instructions[0] if instructions else ""
