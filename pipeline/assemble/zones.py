"""The day and the time zones of logs that print a time of day only."""

from __future__ import annotations

from pipeline import parse
from pipeline.assemble import texts
from pipeline.assemble.clocks import file_date, printed_date
from pipeline.assemble.plan import Choices, Remarks
from pipeline.assemble.sources import AssembleError, Source, Zone
from pipeline.raw import CLIENT


def infer_zones(
    sources: list[Source], roles: list[str], choices: Choices, remarks: Remarks
) -> tuple[str, dict[str, Zone]]:
    """The day of the logs, and how each machine's times are read."""
    untimed = [s for s in sources if s.kind in ("top", "iotop") and not s.has_sentinels]
    printed = printed_date(sources)
    from_file = file_date(sources)
    date = choices.date or (printed.date if printed else None)
    if date is None and untimed:
        remarks.ask("--date", texts.WHICH_DATE, from_file)
    if choices.date is not None and untimed:
        remarks.infer("date", choices.date, texts.GIVEN)
    elif printed:
        remarks.infer("date", printed.date, texts.read_in(printed.source.path))
    zone = choices.tz.get("") or (printed.tz if printed else None)
    if zone is None and untimed and not set(roles) - {CLIENT} <= set(choices.tz):
        remarks.ask("--tz", texts.WHICH_ZONE, "UTC")
    elif "" not in choices.tz and zone is not None and printed:
        remarks.infer("time zone", zone, texts.read_in(printed.source.path))
    date = date or from_file or "1970-01-01"
    try:
        zones = {role: Zone(date, choices.tz.get(role) or zone or "UTC") for role in roles}
        for zone_of in zones.values():
            parse.timestamps.parse_day(zone_of.date, "--date")
            parse.timestamps.check_time_zone(zone_of.tz, "--tz")
    except parse.ParseError as error:
        raise AssembleError(str(error)) from None
    return date, zones
