"""JMT's JMVA XML (Bertoli, Casale and Serazzi, JMT user manual, chapter on JMVA), read and written.

JMVA has delay, queueing (``listation``) and load-dependent (``ldstation``) stations with a service time and a number
of visits for each class, closed classes with a population and open ones with a rate. It has no think time (written as
a delay station, which is the class's reference station), no scheduling and no variability. These are stored in a
processing instruction ``<?queuevisor …?>`` that JMT ignores, so that a round trip loses nothing; what JMT does not
read is returned as losses.
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

from pipeline.network import texts
from pipeline.network.arrays import Array, Flags
from pipeline.network.model import FORMAT, ModelError, Network, abbreviate, fail, fail_expected

INSTRUCTION = "queuevisor"
MAX_DEPTH = 50
MAX_LISTED_TIMES = 10_000
"""Service times that are written for an ldstation."""
MAX_READ_TIMES = 1_000_000
STATION_TAGS = {"delaystation": "delay", "listation": "queue", "ldstation": "load_dependent"}
ASSUMED = {"arrival_scv": 1.0, "scheduling": "ps", "service_scv": 1.0}
"""Fields that JMVA lacks, and the values it assumes. Other values are stored in the processing instruction."""
ILLEGAL_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 does not allow, or changes (a carriage return)."""


def to_jmva(network: Network) -> tuple[str, list[str]]:
    """The XML text, and the parts of the model that JMT does not read."""
    losses: list[str] = []
    stored: dict[str, Any] = {}
    model = Element(
        "model",
        {
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "JMTmodel.xsd",
        },
    )
    SubElement(model, "description").text = _check_legal(network.description, "description")
    parameters = SubElement(model, "parameters")
    classes = SubElement(parameters, "classes", number=str(len(network.classes)))
    for c in network.classes:
        name = _check_legal(c.name, "class name")
        if c.is_open:
            SubElement(classes, "openclass", name=name, rate=repr(c.rate), priority="0")
            _store_fields(c, "classes", stored, losses)
        else:
            population = str(c.population)
            SubElement(classes, "closedclass", name=name, population=population, priority="0")
    think = network.think_times
    extra = ""
    if np.any(think > 0):
        extra = "think time"
        while any(s.name == extra for s in network.stations):
            extra += " +"
        stored["think_time_station"] = extra
        losses.append(texts.think_time_as_delay(extra))
    stations = SubElement(parameters, "stations", number=str(len(network.stations) + bool(extra)))
    if extra:
        row = SubElement(stations, "delaystation", name=extra)
        _write_times(row, network, think[:, None], think > 0)
    for k, s in enumerate(network.stations):
        _write_station(stations, network, k, stored, losses)
        _store_fields(s, "stations", stored, losses)
    if network.visits is None:
        stored["visits"] = False
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
    if stored:
        # a processing instruction must not contain "?>"
        text = json.dumps(stored).replace("?", "\\u003f").replace(">", "\\u003e")
        head += f"<?{INSTRUCTION} {text}?>\n"
    return head + body + "\n", losses


def _write_station(
    stations: Element, network: Network, k: int, stored: dict[str, Any], losses: list[str]
) -> None:
    s = network.stations[k]
    tag = next(tag for tag, kind in STATION_TAGS.items() if kind == s.kind)
    row = SubElement(stations, tag, name=_check_legal(s.name, "station name"))
    if s.kind != "delay":
        row.set("servers", str(s.servers))
    demands = network.demands[k]
    visits = demands > 0 if network.visits is None else network.visits[k]
    times = network.service_times[k][:, None]
    if s.kind == "load_dependent":
        alpha = np.array(s.rate_multipliers)
        customers = int(network.populations.sum())
        if customers > 0:
            listed = min(customers, MAX_LISTED_TIMES)
            if listed < customers:
                losses.append(texts.times_truncated(s.name, listed, customers))
            alpha = _extend(alpha, listed)[:listed]
        if network.is_open.any():
            losses.append(texts.load_dependent_open(s.name))
        if len(alpha) < len(s.rate_multipliers):
            losses.append(texts.multipliers_truncated(s.name, len(alpha)))
        stored.setdefault("stations", {})[s.name] = {
            "rate_multipliers": list(s.rate_multipliers),
            "demands": demands.tolist(),
            "listed": len(alpha),
        }
        times = times / alpha
    _write_times(row, network, times, visits)


def _store_fields(item: Any, group: str, stored: dict[str, Any], losses: list[str]) -> None:
    """Store the fields of a station or class that JMVA lacks."""
    what = "class" if group == "classes" else "station"
    for name, assumed in ASSUMED.items():
        value = getattr(item, name, assumed)
        if value != assumed:
            stored.setdefault(group, {}).setdefault(item.name, {})[name] = value
            losses.append(f"{what} {item.name!r}: {texts.NOT_IN_JMVA[name].format(value)}")


def _extend(values: ArrayLike, size: int) -> Array:
    """``values`` extended to ``size`` of them by repeating the last one."""
    values = np.asarray(values, float)
    return np.pad(values, (0, max(size - len(values), 0)), mode="edge")


def _write_times(row: Element, network: Network, times: Array, visits: Array | Flags) -> None:
    """Write ``times``, (C, …): service times of each class, with 1, 2, … customers."""
    time_block = SubElement(row, "servicetimes")
    visit_block = SubElement(row, "visits")
    for c, listed, visit in zip(network.classes, times.tolist(), visits, strict=True):
        joined = ";".join(repr(time) for time in listed)
        SubElement(time_block, "servicetime", customerclass=c.name).text = joined
        SubElement(visit_block, "visit", customerclass=c.name).text = repr(float(visit))


def _check_legal(text: str, what: str) -> str:
    if ILLEGAL_XML.search(text):
        raise ModelError(f"the {what} {abbreviate(text)} has a character that XML does not allow")
    return text


def from_jmva(data: bytes) -> Network:
    """The network of JMVA XML; raises :class:`ModelError`. What is not imported is in the network's ``warnings``."""
    root, instruction = _parse_xml(data)
    if root.tag != "model":
        fail(root.tag, "the root element must be <model>")
    parameters = _single_child(root, "parameters", "model")
    losses: list[str] = []
    classes = _parse_classes(_single_child(parameters, "classes", "parameters"), losses)
    names = [c["name"] for c in classes]
    stored = _parse_instruction(instruction)
    document: dict[str, Any] = {"format": FORMAT}
    description = (root.findtext("description") or "").strip()
    if description:
        document["description"] = description
    document |= {"stations": [], "classes": classes, "demands": {}}
    visits: dict[str, dict[str, float]] = {}
    rows = list(_single_child(parameters, "stations", "parameters"))
    for i, row in enumerate(rows):
        path = f"stations[{i}]"
        if row.tag not in STATION_TAGS:
            fail(path, f"must be one of {', '.join(STATION_TAGS)} (got <{row.tag}>)")
        name = row.get("name") or fail(path, "name is missing")
        if name in document["demands"]:
            fail(path, f"duplicate station name {abbreviate(name)}")
        listed = _parse_numbers(row, "servicetimes", "servicetime", names, path)
        visit = {
            c: v[0] for c, v in _parse_numbers(row, "visits", "visit", names, path, 1.0).items()
        }
        if name == stored.get("think_time_station") and row.tag == "delaystation":
            for c in classes:
                if c["kind"] == "closed":
                    c["think_time"] = listed[c["name"]][0] * visit[c["name"]]
            continue
        station: dict[str, Any] = {"name": name, "kind": STATION_TAGS[row.tag]}
        fields = _stored_fields(stored, "stations", name)
        if row.tag == "listation":
            station["servers"] = _parse_whole(row.get("servers", "1"), f"{path}.servers")
        if row.tag == "ldstation":
            station["rate_multipliers"], listed = _rate_multipliers(listed, path)
            if row.get("servers", "1") != "1":
                losses.append(f"station {name!r}: servers of a load-dependent station")
        elif any(len(v) != 1 for v in listed.values()):
            fail(path, "must have one service time for each class")
        for key in ("scheduling", "service_scv"):
            if key in fields:
                station[key] = fields[key]
        document["stations"].append(station)
        document["demands"][name] = {c: listed[c][0] * visit[c] for c in names}
        if row.tag == "ldstation":
            _restore_multipliers(station, document["demands"][name], fields, names)
        visits[name] = visit
    if stored.get("visits") is not False:
        document["visits"] = visits
    for c in classes:
        fields = _stored_fields(stored, "classes", c["name"])
        if c["kind"] == "open" and "arrival_scv" in fields:
            c["arrival_scv"] = fields["arrival_scv"]
    for tag, what in (("solutions", "stored solutions"), ("whatIf", "what-if analysis")):
        if root.find(tag) is not None:
            losses.append(what)
    warnings = tuple(texts.not_imported(loss) for loss in losses)
    return replace(Network.from_dict(document), warnings=warnings)


def _restore_multipliers(
    station: dict[str, Any],
    demands: dict[str, float],
    fields: Mapping[str, Any],
    names: list[str],
) -> None:
    """Restore stored multipliers and demands if the XML's service times still agree with them; else trim the list."""
    listed = station["rate_multipliers"]
    while len(listed) > 1 and listed[-1] == listed[-2]:
        station["rate_multipliers"] = listed = listed[:-1]
    alpha, stored_demands = fields.get("rate_multipliers"), fields.get("demands")
    count = fields.get("listed")
    if not all(isinstance(value, list) for value in (alpha, stored_demands)):
        return
    if not isinstance(count, int):
        return
    try:
        written = np.array(alpha[:count], float)
        size = max(len(written), len(listed))
        a, b = _extend(written, size), _extend(listed, size)
        xml_demands = np.array([demands[c] for c in names])
        # without any demand all service times are written as 0
        is_idle = not any(stored_demands) and not xml_demands.any()
        if is_idle or (
            np.allclose(a / a[0], b, rtol=1e-12)
            and np.allclose(stored_demands, xml_demands * written[0], rtol=1e-12)
        ):
            station["rate_multipliers"] = alpha
            demands |= zip(names, stored_demands, strict=True)
    except (TypeError, ValueError, IndexError):
        return


def _rate_multipliers(
    listed: dict[str, list[float]], path: str
) -> tuple[list[float], dict[str, list[float]]]:
    """α(n) = S(1)/S(n), the same for all classes that visit the station."""
    alpha: list[float] | None = None
    for name, times in listed.items():
        if times[0] == 0:
            continue
        if any(t <= 0 for t in times):
            fail(path, f"class {abbreviate(name)}: service times must be above 0, or all 0")
        class_alpha = [times[0] / t for t in times]
        if alpha is None:
            alpha = class_alpha
        else:
            size = max(len(alpha), len(class_alpha))
            pairs = zip(_extend(alpha, size), _extend(class_alpha, size), strict=True)
            if any(not math.isclose(a, b, rel_tol=1e-6) for a, b in pairs):
                fail(path, "service times must have the same load dependence for all classes")
            alpha = max(alpha, class_alpha, key=len)
    return alpha or [1.0], {name: times[:1] for name, times in listed.items()}


def _parse_classes(parent: Element, losses: list[str]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    for i, row in enumerate(parent):
        path = f"classes[{i}]"
        name = row.get("name") or fail(path, "name is missing")
        if row.tag == "closedclass":
            population = _parse_whole(row.get("population", ""), f"{path}.population", minimum=0)
            fields = {"kind": "closed", "population": population, "think_time": 0.0}
        elif row.tag == "openclass":
            fields = {"kind": "open", "rate": _parse_number(row.get("rate", ""), f"{path}.rate")}
        else:
            fail(path, f"must be closedclass or openclass (got <{row.tag}>)")
        if row.get("priority", "0") not in ("0", ""):
            losses.append(f"class {name!r}: priority")
        result.append({"name": name, **fields})
    return result


def _parse_numbers(
    row: Element, outer: str, inner: str, names: list[str], path: str, default: float | None = None
) -> dict[str, list[float]]:
    block = row.find(outer)
    result: dict[str, list[float]] = {}
    for entry in () if block is None else block.findall(inner):
        name = entry.get("customerclass")
        if name not in names:
            fail(f"{path}.{outer}", f"unknown class {abbreviate(name)}")
        if name in result:
            fail(f"{path}.{outer}", f"duplicate class {abbreviate(name)}")
        numbers = [t for t in (entry.text or "").split(";") if t.strip()]
        if len(numbers) > MAX_READ_TIMES:
            fail(f"{path}.{outer}", f"{len(numbers)} service times (limit {MAX_READ_TIMES})")
        result[name] = [_parse_number(t, f"{path}.{outer}.{name}") for t in numbers] or fail(
            f"{path}.{outer}.{name}", "number is missing"
        )
    for name in names:
        if name not in result:
            if default is None:
                fail(f"{path}.{outer}", f"class {abbreviate(name)} is missing")
            result[name] = [default]
    return result


def _parse_number(text: str, path: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        fail_expected(path, "a number", text)
    if not math.isfinite(value) or value < 0:
        fail_expected(path, "a finite number ≥ 0", text)
    return value


def _parse_whole(text: str, path: str, minimum: int = 1) -> int:
    value = _parse_number(text, path)
    if value != int(value) or value < minimum:
        fail_expected(path, f"a whole number from {minimum}", text)
    return int(value)


def _single_child(parent: Element, tag: str, path: str) -> Element:
    children = parent.findall(tag)
    if len(children) != 1:
        fail(path, f"must have one <{tag}> (got {len(children)})")
    return children[0]


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _stored_fields(stored: Mapping[str, Any], group: str, name: str) -> Mapping[str, Any]:
    return _as_mapping(_as_mapping(stored.get(group)).get(name))


def _parse_instruction(instruction: str) -> Mapping[str, Any]:
    if not instruction:
        return {}
    try:
        return _as_mapping(json.loads(instruction))
    except (ValueError, RecursionError):
        raise ModelError(f"the processing instruction {INSTRUCTION} is not JSON") from None


def _parse_xml(data: bytes) -> tuple[Element, str]:
    """The tree and our processing instruction; document types are refused (entity expansion, external files)."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0
    instructions: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ModelError("not a JMVA model: nested too deeply")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise ModelError("not a JMVA model: document type declarations are not allowed")

    def instruction(target: str, text: str) -> None:
        if target == INSTRUCTION:
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
