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
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, indent, tostring
from xml.parsers import expat

import numpy as np

from pipeline.network.model import FORMAT, ModelError, Network, fail, short

TARGET = "queuevisor"
DEEPEST = 50
MOST_TIMES = 10_000
"""Entries of an ldstation's list that are written."""
STATION_TAGS = {"delaystation": "delay", "listation": "queue", "ldstation": "load_dependent"}


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
            if c.arrival_scv != 1:
                kept.setdefault("classes", {})[c.name] = {"arrival_scv": c.arrival_scv}
                losses.append(
                    f"class {c.name!r}: JMVA takes arrivals as Poisson, arrival_scv {c.arrival_scv:g}"
                )
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
        _times(
            row, network, [repr(float(z)) for z in think], [1.0 if z > 0 else 0.0 for z in think]
        )
    for k, s in enumerate(network.stations):
        _station(stations, network, k, kept, losses)
        if s.scheduling != "ps" or s.service_scv != 1:
            own = kept.setdefault("stations", {}).setdefault(s.name, {})
            if s.scheduling != "ps":
                own["scheduling"] = s.scheduling
            if s.service_scv != 1:
                own["service_scv"] = s.service_scv
                losses.append(
                    f"station {s.name!r}: JMVA takes service times as exponential, service_scv {s.service_scv:g}"
                )
            if s.scheduling != "ps":
                losses.append(f"station {s.name!r}: JMVA has no scheduling, {s.scheduling}")
    if network.visits is None:
        kept["visits"] = False
    reference = SubElement(parameters, "ReferenceStation", number=str(len(network.classes)))
    for i, c in enumerate(network.classes):
        first = next(
            (s.name for k, s in enumerate(network.stations) if network.demands[k, i] > 0), ""
        )
        station = extra if think[i] > 0 else first or network.stations[0].name
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
    visits = np.where(demands > 0, 1.0, 0.0) if network.visits is None else network.visits[k]
    times = network.service_times[k]
    if s.kind != "load_dependent":
        _times(row, network, [repr(float(x)) for x in times], list(visits))
        return
    alpha = np.array(s.rate_multipliers)
    inside = int(network.populations.sum())
    if inside > 0:
        wanted = min(inside, MOST_TIMES)
        if wanted < inside:
            losses.append(
                f"station {s.name!r}: service times are listed for {wanted} of {inside} customers"
            )
        alpha = np.concatenate((alpha, np.full(max(wanted - len(alpha), 0), alpha[-1])))[:wanted]
    if network.is_open.any():
        losses.append(f"station {s.name!r}: JMVA has no load-dependent stations for open classes")
    if len(alpha) < len(s.rate_multipliers):
        losses.append(f"station {s.name!r}: rate_multipliers beyond {len(alpha)} customers")
    kept.setdefault("stations", {})[s.name] = {"rate_multipliers": list(s.rate_multipliers)}
    kept["stations"][s.name] |= {"demands": [float(x) for x in demands], "listed": len(alpha)}
    texts = [";".join(repr(float(x / a)) for a in alpha) for x in times]
    _times(row, network, texts, list(visits))


def _times(row: Element, network: Network, times: list[str], visits: list[float]) -> None:
    services = SubElement(row, "servicetimes")
    comes = SubElement(row, "visits")
    for c, time, visit in zip(network.classes, times, visits, strict=True):
        SubElement(services, "servicetime", customerclass=c.name).text = time
        SubElement(comes, "visit", customerclass=c.name).text = repr(float(visit))


def _legal(text: str, what: str) -> str:
    for char in text:
        code = ord(char)
        if (
            (code < 32 and char not in "\t\n")
            or 0xD800 <= code <= 0xDFFF
            or code in (0xFFFE, 0xFFFF)
        ):
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
        own = _mapping(_mapping(kept.get("stations")).get(name))
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
    scvs = _mapping(kept.get("classes"))
    for one in classes:
        if one["kind"] == "open" and "arrival_scv" in _mapping(scvs.get(one["name"])):
            one["arrival_scv"] = scvs[one["name"]]["arrival_scv"]
    for tag, what in (("solutions", "stored solutions"), ("whatIf", "the what-if analysis")):
        if root.find(tag) is not None:
            losses.append(what)
    network = Network.from_dict(document)
    told = tuple(f"not taken over from JMVA: {loss}" for loss in losses)
    return Network(
        network.stations,
        network.classes,
        network.demands,
        network.visits,
        network.description,
        told,
    )


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
        a, b = (
            np.concatenate((x, np.full(size - len(x), x[-1]))) for x in (ours, np.array(theirs))
        )
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
            fail(
                path, f"class {short(name)}: a service time of 0 with some customers cannot be held"
            )
        one = [times[0] / t for t in times]
        if alpha is None:
            alpha = one
        else:
            size = max(len(alpha), len(one))
            pairs = zip(*(x + [x[-1]] * (size - len(x)) for x in (alpha, one)), strict=True)
            if any(not math.isclose(a, b, rel_tol=1e-6) for a, b in pairs):
                fail(
                    path,
                    "the classes' service times do not change alike with the number of customers",
                )
            alpha = max(alpha, one, key=len)
    return alpha or [1.0], {name: times[:1] for name, times in listed.items()}


def _classes(parent: Element, losses: list[str]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    for i, row in enumerate(parent):
        path = f"classes[{i}]"
        name = row.get("name") or fail(path, "a name is missing")
        if row.tag == "closedclass":
            population = _whole(row.get("population", ""), f"{path}.population", least=0)
            result.append(
                {"name": name, "kind": "closed", "population": population, "think_time": 0.0}
            )
        elif row.tag == "openclass":
            result.append(
                {"name": name, "kind": "open", "rate": _number(row.get("rate", ""), f"{path}.rate")}
            )
        else:
            fail(path, f"<{row.tag}> is neither closedclass nor openclass")
        if row.get("priority", "0") not in ("0", ""):
            losses.append(f"class {name!r}: its priority")
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
        fail(path, f"a number is expected, not {short(text)}")
    if not math.isfinite(value) or value < 0:
        fail(path, f"a finite number that is not negative is expected, not {short(text)}")
    return value


def _whole(text: str, path: str, least: int = 1) -> int:
    value = _number(text, path)
    if value != int(value) or value < least:
        fail(path, f"a whole number from {least} is expected, not {short(text)}")
    return int(value)


def _only(parent: Element, tag: str, path: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        fail(path, f"one <{tag}> is expected, not {len(found)}")
    return found[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


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
