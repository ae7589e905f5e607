"""The equations with a run's numbers in them, as LaTeX: what a student would write under the formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import polars as pl

from pipeline.charts import short
from pipeline.report.frames.numbers import AS_PRINTED, CORRECTED, KEPT, OFF
from pipeline.report.frames.run import RunData

Number = Callable[[str, str | None], float | None]

SETS = ((AS_PRINTED, KEPT), (CORRECTED, OFF))

DISK_WORDS = {"vdisk": "virtual disk", "disk": "host's disk"}


def worked(data: RunData, equation: str) -> list[tuple[str, str]]:
    """(what it is about, LaTeX with numbers) for each loaded virtual server, disk and set of readings.

    ``equation``: 1, 2, 3, 6, 8, 9, 10 or IV. A number that is missing is a question mark; the table of the
    equation says why.
    """
    lines = []
    for vs in data.loaded:
        number = _reader(data.ledger.filter(pl.col("virtual_server") == vs.name))
        closed = vs.workload is not None and vs.workload.kind == "closed"
        for name, background in SETS:
            for about, latex in _lines(equation, number, name, background, closed=closed):
                whose = vs.name if len(data.loaded) > 1 else ""
                lines.append((", ".join(filter(None, (whose, name, about))), latex))
    return lines


def _reader(mine: pl.DataFrame) -> Number:
    known = {
        (row["quantity"], row["reading"]): row["value"]
        for row in mine.filter(pl.col("subject").is_null()).iter_rows(named=True)
    }
    known["processes", None] = float(mine.filter(pl.col("quantity") == "T_cpu_process").height)
    return lambda quantity, reading: known.get((quantity, reading))


def _lines(
    equation: str, number: Number, name: str, background: str, *, closed: bool
) -> Iterator[tuple[str, str]]:
    printed = name == AS_PRINTED
    if equation == "1":
        used, idle = number("T_cpu", KEPT), number("T_cpu_idle", "before-state")
        total = _in("s", number("T_cpu", background))
        if printed:
            count = short(number("processes", None))
            yield "", rf"T_{{cpu}} = \sum_{{i=1}}^{{{count}}} T_{{cpu,pid_i}} = {total}"
        else:
            yield (
                "",
                rf"T_{{cpu}} - \frac{{T}}{{T_{{before}}}}\, T_{{cpu,idle}} = {_in('s', used)} - "
                rf"\frac{{T}}{{T_{{before}}}} \cdot {_in('s', idle)} = {total}",
            )
    elif equation == "2":
        used, count = number("T_cpu", background), number("lambda_total", "client")
        yield (
            "",
            rf"R_{{cpu}} = \frac{{T_{{cpu}}}}{{\lambda_{{total}}}} = "
            rf"\frac{{{_in('s', used)}}}{{{_of(count)}}} = {_ms(number('R_cpu', background))}",
        )
    elif equation in ("3", "6", "8", "9", "10"):
        if equation == "10":
            yield "", _throughput(number, name, closed)
        for disk, words in DISK_WORDS.items():
            yield words, _disk_line(equation, number, disk, background, printed, closed)
    elif equation == "IV":
        yield "", _response(number, name, closed)
    else:
        raise ValueError(f"equation {equation} has no line of its own")


def _throughput(number: Number, name: str, closed: bool) -> str:
    if name == CORRECTED and closed:
        return rf"X_{{req}} = {_of(number('X_req', CORRECTED))}\,/\text{{s}} \quad\text{{(mean value analysis)}}"
    return (
        rf"X_{{req}} = \frac{{\lambda_{{total}}}}{{T}} = "
        rf"\frac{{{_of(number('lambda_total', 'client'))}}}{{{_in('s', number('T', None))}}} = "
        rf"{_of(number('X_req', None))}\,/\text{{s}}"
    )


def _disk_line(
    equation: str, number: Number, disk: str, background: str, printed: bool, closed: bool
) -> str:
    total = number(f"U_{disk}_total", background)
    mine = number(f"U_{disk}_req", background)
    if equation == "3":
        busy = _in("s", number(f"T_{disk}", background))
        length = _in("s", number("T", None))
        return rf"U_{{{disk},total}} = \frac{{T_{{{disk}}}}}{{T}} = \frac{{{busy}}}{{{length}}} = {_percent(total)}"
    if equation == "6":
        read, write, both = (
            number(f"{what}_{disk}_total", background) for what in ("Read", "Write", "IO")
        )
        return rf"IO_{{{disk},total}} = Read + Write = {_mb(read)} + {_mb(write)} = {_mb(both)}"
    if equation == "8":
        own, whole = (number(f"IO_{disk}_{what}", background) for what in ("req", "total"))
        share = number(f"share_{disk}", background)
        bound = r"\to 1" if share is not None and share > 1 else ""
        return (
            rf"U_{{{disk},req}} = \frac{{IO_{{{disk},req}}}}{{IO_{{{disk},total}}}} \cdot U_{{{disk},total}} = "
            rf"\left(\frac{{{_mb(own)}}}{{{_mb(whole)}}} = {_of(share)} {bound}\right) \cdot {_percent(total)} "
            rf"= {_percent(mine)}"
        )
    if equation == "9":
        reading = f"{AS_PRINTED if printed else 'service-demand'} / {background}"
        rate = number(f"X_{disk}_total", background) if printed else number("X_req", None)
        name = rf"X_{{{disk},total}}" if printed else r"X_{req}"
        return (
            rf"D_{{{disk},req}} = \frac{{U_{{{disk},req}}}}{{{name}}} = "
            rf"\frac{{{_percent(mine)}}}{{{_of(rate)}\,/\text{{s}}}} = {_ms(number(f'D_{disk}_req', reading))}"
        )
    reading = f"{AS_PRINTED if printed else 'service-demand'} / {background}"
    demand = _ms(number(f"D_{disk}_req", reading))
    if not printed and closed:
        return (
            rf"D_{{{disk},req}} = {demand} \;\Rightarrow\; R_{{{disk}}} = "
            rf"{_ms(number(f'R_{disk}', CORRECTED))} \quad\text{{(mean value analysis)}}"
        )
    by = mine if printed else number(f"U_{disk}_total", KEPT)
    name = rf"U_{{{disk},req}}" if printed else rf"U_{{{disk},total}}"
    result = number(f"R_{disk}", AS_PRINTED if printed else CORRECTED)
    return (
        rf"R_{{{disk}}} = \frac{{D_{{{disk},req}}}}{{1 - {name}}} = "
        rf"\frac{{{demand}}}{{1 - {_of(by)}}} = {_ms(result)}"
    )


def _response(number: Number, name: str, closed: bool) -> str:
    cpu, virtual, physical, whole = (
        _ms(number(quantity, name)) for quantity in ("R_cpu", "R_vdisk", "R_disk", "R_req")
    )
    if name == AS_PRINTED:
        return rf"R_{{req}} = R_{{cpu}} + R_{{vdisk}} + R_{{disk}} = {cpu} + {virtual} + {physical} = {whole}"
    if closed:
        return rf"R_{{req}} = {whole} \quad\text{{(mean value analysis; the host's disk within the guest's)}}"
    return rf"R_{{req}} = R_{{cpu}} + \max(R_{{vdisk}}, R_{{disk}}) = {cpu} + \max({virtual}, {physical}) = {whole}"


# -- numbers in LaTeX ------------------------------------------------------------------------------------


def _of(value: float | None) -> str:
    text = short(value, 4)
    return "?" if text == "–" else _power(text.replace(",", "{,}"))


def _power(text: str) -> str:
    return re.sub(r"e([+-])0*(\d+)", lambda m: rf"\cdot 10^{{{m[1].lstrip('+')}{m[2]}}}", text)


def _in(unit: str, value: float | None, factor: float = 1.0) -> str:
    return rf"{_of(None if value is None else value * factor)}\,\text{{{unit}}}"


def _ms(value_s: float | None) -> str:
    return _in("ms", value_s, 1e3)


def _mb(value_bytes: float | None) -> str:
    return _in("MB", value_bytes, 1e-6)


def _percent(value: float | None) -> str:
    return rf"{_of(None if value is None else value * 100)}\,\%"
