"""Access logs: who sent a request by the form of the words, formats that are given, JSON, and response times."""

import json

import polars as pl
import pytest

from pipeline import parse
from pipeline.parse import texts
from pipeline.parse.access_format import FormatError, compile_format
from pipeline.parse.recognition import recognize

WHEN = "[03/May/2026:08:15:30 +0200]"
REQUEST = '"GET /cart HTTP/1.1" 200 77'
TIMED = "2026-05-03 06:15:30"


def parsed_log(*lines, **options):
    return parse.parse_log(
        "access", parse.log_from_text("".join(f"{line}\n" for line in lines), "x.log"), **options
    )


def only_row(line, **options):
    parsed = parsed_log(line, **options)
    assert parsed.record_lines == 1, parsed.rejects
    return parsed.tables["requests"].row(0, named=True)


def is_refused(line, **options):
    """Whether the line is a reject beside a good one."""
    good = f"198.51.100.9 - - {WHEN} {REQUEST}"
    parsed = parsed_log(good, line, **options)
    return parsed.rejects["line"].to_list() == [2]


# --- client and user


@pytest.mark.parametrize(
    ("words", "client", "user"),
    [
        ("198.51.100.4 - -", "198.51.100.4", None),
        ("198.51.100.4 - bea", "198.51.100.4", "bea"),
        ("198.51.100.4 identd bea", "198.51.100.4", "bea"),
        ("198.51.100.4 - bea lin", "198.51.100.4", "bea lin"),
        ("fe80::2%eth1 - -", "fe80::2%eth1", None),
        ("::ffff:198.51.100.4 - -", "::ffff:198.51.100.4", None),
        ("gate.example.net - bea", "gate.example.net", "bea"),
        ("web_7 - -", "web_7", None),
        ("unix: - -", "unix:", None),
        ("- - -", None, None),
        ('198.51.100.4 - ""', "198.51.100.4", ""),
        (r"198.51.100.4 - b\"e\\a", "198.51.100.4", r"b\"e\\a"),
        ("shop.example.org 198.51.100.4 - bea", "198.51.100.4", "bea"),
        ("shop.example.org 198.51.100.4 identd bea", "198.51.100.4", "bea"),
        ("shop.example.org 198.51.100.4 - bea lin", "198.51.100.4", "bea lin"),
        ("shop.example.org gate.example.net - bea", "gate.example.net", "bea"),
        ("shop.example.org:8443 gate.example.net identd bea", "gate.example.net", "bea"),
        ("*:80 198.51.100.4 - -", "198.51.100.4", None),
        ("[2001:db8::1]:80 2001:db8::9 - bea", "2001:db8::9", "bea"),
        ("10.3.0.1 198.51.100.4 - -", "198.51.100.4", None),
        ("_ 198.51.100.4 - -", "198.51.100.4", None),
    ],
)
def test_client_and_user_are_recognized_by_their_form(words, client, user):
    row = only_row(f"{words} {WHEN} {REQUEST}")
    assert (row["client"], row["user"], row["flags"]) == (client, user, None)


@pytest.mark.parametrize(
    "words",
    [
        "access.log.1:198.51.100.4 - -",
        "31:198.51.100.4 - -",
        "08:15:30 198.51.100.4 - -",
        "1777788930 198.51.100.4 - -",
        "May  3 08:15:30 web3 httpd: 198.51.100.4 - bea",
        "web3 httpd[8]: 198.51.100.4 - bea",
        "2026-05-03T08:15:30.25Z stderr F 198.51.100.4 - -",
        "app-3  | 198.51.100.4 - -",
        "> 198.51.100.4 - -",
        "stdout F 198.51.100.4 - -",
        "256.1.1.1 - -",
        "1:2:3 - -",
        "198.51.100.4 shop.example.org - bea",  # nginx: $remote_addr $host - $remote_user
        "gate.example.net identd bea lin",
        "198.51.100.4 identd bea lin",
        "198.51.100.4 - bea - lin",
        "198.51.100.4 - be198.51.100.5 - -",  # two lines
        "shop.example.org - - bea",
        "198.51.100.4 -",
        "198.51.100.4",
    ],
)
def test_other_words_before_the_time_are_a_reject(words):
    assert is_refused(f"{words} {WHEN} {REQUEST}")


def test_the_order_of_two_addresses_is_uncertain_where_other_lines_have_the_host_second():
    heads = ("198.51.100.4 a.example", "198.51.100.4 10.3.0.1", "198.51.100.4")
    lines = [f"{words} - - {WHEN} {REQUEST}" for words in heads]
    assert parsed_log(*lines).rejects["line"].to_list() == [1, 2]
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1: client, identity and user"):
        parsed_log(lines[0])


@pytest.mark.parametrize(
    ("prefix", "is_prefix_of_all"),
    [
        ("May 03 08:15:30 web3 httpd[8]: ", True),
        ("2026-05-03T08:15:30.250000001Z stdout F ", True),
        ("access.log:", True),
        ("17:", True),
        ("2026-05-03T08:15:30.250Z ", True),
        ("<190>1 2026-05-03T08:15:30Z web3 nginx 8 - - ", True),
        ("May 03 08:15:30 web3 httpd[8]: ", False),
    ],
)
def test_a_loggers_prefix_is_stripped_and_a_line_with_another_head_is_a_reject(
    prefix, is_prefix_of_all
):
    line = f"198.51.100.4 - bea {WHEN} {REQUEST}"
    lines = [prefix + line] * 3 if is_prefix_of_all else [line] * 3 + [prefix + line]
    for log_format in (None, "common", '%h %l %u %t "%r" %>s %b'):
        parsed = parsed_log(*lines, log_format=log_format)
        assert parsed.tables["requests"]["client"].unique().to_list() == ["198.51.100.4"]
        assert parsed.tables["requests"]["user"].unique().to_list() == ["bea"]
        assert parsed.rejects["line"].to_list() == ([] if is_prefix_of_all else [4])


def test_what_the_server_wrote_before_the_client_is_no_prefix_of_a_logger():
    lines = [f"198.51.100.4 - bea van lin {WHEN} {REQUEST}"] * 3
    assert parsed_log(*lines).tables["requests"]["user"].to_list() == ["bea van lin"] * 3
    with pytest.raises(parse.UnknownFormatError):
        parsed_log(*[f"203.0.113.9, 10.0.0.1 - bea {WHEN} {REQUEST}"] * 3)
    parsed = parsed_log(*[f"May 03 08:15:30 web3 nginx: {json.dumps(NGINX_JSON)}"] * 3)
    assert parsed.tables["requests"]["response_time_s"].to_list() == [0.004] * 3


# --- fields after the known ones


@pytest.mark.parametrize(
    ("rest", "flag"),
    [
        (' "-" "lynx/2" "-"', "extra-fields"),
        (' "-" "lynx/2" "198.51.100.7, 10.0.0.2" "x"', "extra-fields"),
        (' "-"', "extra-fields"),
        (' "-" "lynx/2" uct="0.001" up=- "a b"', "extra-fields"),
        (' "-" "lynx/2" "-', "malformed-tail"),
        (' "-" "lyn', "malformed-tail"),
        (f' "-" "lynx/2"198.51.100.5 - - {WHEN} {REQUEST}', "malformed-tail"),
        (f" 198.51.100.5 - - {WHEN} {REQUEST}", "malformed-tail"),
        (f' "-" "lynx/2" 198.51.100.5 - - {WHEN} {REQUEST} "-" "lynx/2"', "malformed-tail"),
    ],
)
def test_more_fields_are_flagged_by_their_form(rest, flag):
    assert only_row(f"198.51.100.4 - - {WHEN} {REQUEST}{rest}")["flags"] == flag


COMBINED = f'198.51.100.4 - - {WHEN} {REQUEST} "-" "lynx/2"'


@pytest.mark.parametrize(
    ("ends", "times_s", "flags", "warned"),
    [
        ((" 0.004", " 12.000"), [0.004, 12.0], [None, None], False),
        ((' "-" 0.004', ' "10.0.0.2" 0.000'), [0.004, 0.0], [None, None], False),
        ((' rt=0.250 ua="x"', ' rt=0.001 ua="-"'), [0.25, 0.001], ["extra-fields"] * 2, False),
        ((' 7 "web@docker" "http://10.0.0.2:80" 18ms',), [0.018], [None], False),
        ((" 0.004", " 12"), [None, None], ["extra-fields"] * 2, True),
        ((" 1834",), [None], ["extra-fields"], True),
        ((" 0.25",), [None], ["extra-fields"], True),
        ((" 0,004",), [None], ["extra-fields"], True),
        ((" -0.004",), [None], ["extra-fields"], True),
        ((" 0.004 0.003",), [None], ["extra-fields"], True),
        ((" 99999999999.004",), [None], ["no-response-time"], False),
        (("", " 0.004"), [None, 0.004], [None, None], False),
    ],
)
def test_a_response_time_is_read_where_its_unit_is_certain(ends, times_s, flags, warned):
    parsed = parsed_log(*(COMBINED + end for end in ends))
    assert parsed.tables["requests"]["response_time_s"].to_list() == times_s
    assert parsed.tables["requests"]["flags"].to_list() == flags
    assert ["--format" in text for text in parsed.warnings] == ([True] if warned else [])


# --- formats


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        (
            r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D" timed',
            rf'198.51.100.4 - bea lin {WHEN} "GET /a\"b HTTP/1.1" 200 77 "-" "ly nx" 1834',
            {"client": "198.51.100.4", "user": "bea lin", "target": r"/a\"b", "user_agent": "ly nx",
             "response_time_s": 0.001834, "response_bytes": 77},
        ),
        (
            '%v:%p %a %u %t "%r" %s %>s %O %{ms}T',
            f'shop.example:80 2001:db8::9 - {WHEN} "PUT /x HTTP/1.1" 301 200 901 42',
            {"client": "2001:db8::9", "status": 200, "response_bytes": 901, "response_time_s": 0.042},
        ),
        (
            '%T %{us}T %h "%m %U%q %H" %>s %B %X %I %k %{SSL_PROTOCOL}x %%',
            '2 2000113 gate.example "GET /a b?x=1 HTTP/2.0" 204 0 + 88 0 TLSv1.3 %',
            {"client": "gate.example", "command": "GET", "target": "/a b?x=1", "protocol": "HTTP/2.0",
             "response_time_s": 2.000113, "response_bytes": 0, "flags": "no-time"},
        ),
        ("%h %>s %{s}T", "198.51.100.4 200 3", {"response_time_s": 3.0}),
        (
            "[%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] %h %>s",
            "[03/May/2026:08:15:30.250 +0200] 198.51.100.4 200",
            {"time": "2026-05-03 06:15:30.250"},
        ),
        ("%{usec}t %h %>s", "1777788930000250 198.51.100.4 200", {"time": "2026-05-03 06:15:30.000"}),
        ("%{%F %H:%M:%S}t %h %>s", "2026-05-03 08:15:30 198.51.100.4 200", {"time": "2026-05-03 06:15:30.000"}),
        (
            "%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b",
            f"198.51.100.7, 10.0.0.2 - - {WHEN} {REQUEST}",
            {"client": "198.51.100.7", "user": None},
        ),
        (
            "log_format timed '$remote_addr - $remote_user [$time_local] \"$request\" '\n"
            "    '$status $body_bytes_sent $request_time $upstream_response_time';",
            f"198.51.100.4 - bea {WHEN} {REQUEST} 0.031 0.010, 0.020 : -",
            {"user": "bea", "response_time_s": 0.031, "upstream_response_time_s": 0.03},
        ),
        (
            '$host $remote_addr [$time_iso8601] "$request" ${status} $bytes_sent $msec $request_time "$upstream_addr"',
            f'a.example 198.51.100.4 [2026-05-03T08:15:29+02:00] {REQUEST} 1777788930.250 0.004 "-"',
            {"client": "198.51.100.4", "time": "2026-05-03 06:15:30.250", "response_time_s": 0.004},
        ),
        (
            """log_format j escape=json '{"a":"$remote_addr","s":$status,"t":$request_time,'
               '"u":"$upstream_response_time","r":"$request"}';""",
            '{"a":"198.51.100.4","s":200,"t":0.120,"u":"-","r":"GET /\\"x HTTP/1.1"}',
            {"target": '/\\"x', "response_time_s": 0.12, "upstream_response_time_s": None},
        ),
        (
            r'LogFormat "%h\t%t\t%r\t%>s\t%{User-Agent}i\t%D" tab',
            f"198.51.100.4\t{WHEN}\tGET /a b HTTP/1.1\t200\tly nx/2 (x)\t3500",
            {"target": "/a b", "user_agent": "ly nx/2 (x)", "response_time_s": 0.0035},
        ),
        (
            "%h %u %t %r %>s %D", rf"198.51.100.4 be\"a lin {WHEN} GET /a b HTTP/1.1 200 1910",
            {"user": r"be\"a lin", "target": "/a b", "response_time_s": 0.00191},
        ),
        ("vhost_combined", f'shop.example:80 198.51.100.4 - - {WHEN} {REQUEST} "-" "x"', {"client": "198.51.100.4"}),
    ],
)  # fmt: skip
def test_a_format_says_which_field_is_which(form, line, expected):
    row = only_row(line, log_format=form, tz="Europe/Berlin")
    row["time"] = None if row["time"] is None else row["time"].strftime("%F %T.%f")[:-3]
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("time", "flags"), [("-", None), ("-5", "no-response-time"), ("x", "no-response-time"),
                        ("18446744073709551615", "no-response-time")]
)  # fmt: skip
def test_what_is_no_duration_is_null(time, flags):
    row = only_row(f"198.51.100.4 {WHEN} 200 {time}", log_format="%h %t %>s %D")
    assert (row["response_time_s"], row["flags"]) == (None, flags)


def test_a_comma_in_a_duration_is_a_point():
    line = f"198.51.100.4 {WHEN} 200 0,250"
    row = only_row(line, log_format="$remote_addr [$time_local] $status $request_time")
    assert row["response_time_s"] == 0.25


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("%h %J", "%J"),
        ("%h %{minutes}T", "%{minutes}T"),
        ("%h %{%j}t", "%j"),
        ("%h%l %t", "%h and %l"),
        ("$status$request_time", "status and request_time"),
        ("no value", "no value"),
        ("", "no directive"),
        ("%h %", "%"),
    ],
)
def test_an_error_of_a_format_names_the_directive(form, named):
    with pytest.raises(FormatError, match=r"\w") as error:
        compile_format(form)
    assert named in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log: "):
        parsed_log(COMBINED, log_format=form)


def test_a_variable_that_nginx_does_not_have_is_a_warning():
    parsed = parsed_log(
        "198.51.100.4 200 7 eu", log_format="$remote_addr $status $request_tme $zone"
    )
    assert parsed.tables["requests"]["response_time_s"].to_list() == [None]
    assert [text.split("$")[1].split()[0] for text in parsed.warnings] == ["request_tme", "zone"]


def test_lines_that_do_not_fit_the_format_are_rejects_or_the_log_is_refused():
    form = '%h %t "%r" %>s %D'
    good = f'198.51.100.4 {WHEN} "GET / HTTP/1.1" 200 15'
    parsed = parsed_log(good, good + " more", "", COMBINED, log_format=form)
    assert (parsed.record_lines, parsed.headers) == (1, 1)
    assert parsed.rejects["line"].to_list() == [2, 4]
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1"):
        parsed_log(COMBINED, log_format=form)


def test_times_without_an_offset_are_of_the_zone_and_null_where_it_has_no_such_hour():
    form = "%{%F %T}t %h %>s"
    lines = ("2026-03-29 02:30:00 198.51.100.4 200", "2026-07-01 12:00:00 198.51.100.4 200")
    rows = parsed_log(*lines, log_format=form, tz="Europe/Berlin").tables["requests"]
    assert rows["time"].dt.to_string("%F %T").to_list() == [None, "2026-07-01 10:00:00"]
    assert rows["flags"].to_list() == ["no-time", None]
    assert any("UTC" in text for text in parsed_log(*lines, log_format=form).warnings)


# --- JSON

NGINX_JSON = {
    "time_local": "03/May/2026:08:15:30 +0200", "remote_addr": "198.51.100.4", "remote_user": "",
    "request": 'GET /"q" HTTP/1.1', "status": "200", "body_bytes_sent": "77", "request_time": "0.004",
    "upstream_response_time": "0.001, 0.002", "http_user_agent": "lynx",
}  # fmt: skip
CADDY_JSON = {
    "level": "info", "ts": 1777788930.25, "logger": "http.log.access", "msg": "handled request",
    "request": {"remote_ip": "2001:db8::9", "proto": "HTTP/2.0", "method": "GET", "uri": "/cart",
                "headers": {"User-Agent": ["lynx"], "Referer": []}},
    "user_id": "", "duration": 0.000125, "size": 77, "status": 200,
}  # fmt: skip
TRAEFIK_JSON = {
    "ClientAddr": "198.51.100.4:5123", "ClientHost": "198.51.100.4", "ClientUsername": "-",
    "DownstreamStatus": 200, "DownstreamContentSize": 77, "Duration": 1500000, "OriginDuration": 1200000,
    "RequestMethod": "GET", "RequestPath": "/cart", "RequestProtocol": "HTTP/1.1",
    "StartUTC": "2026-05-03T06:15:30.25Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (NGINX_JSON, {"client": "198.51.100.4", "user": None, "target": '/"q"', "status": 200, "flags": None,
                      "response_time_s": 0.004, "upstream_response_time_s": 0.003, "time": "06:15:30.000"}),
        (CADDY_JSON, {"client": "2001:db8::9", "target": "/cart", "protocol": "HTTP/2.0", "user_agent": "lynx",
                      "referer": None, "response_bytes": 77, "response_time_s": 0.000125, "time": "06:15:30.250"}),
        (TRAEFIK_JSON, {"client": "198.51.100.4", "user": None, "command": "GET", "response_time_s": 0.0015,
                        "time": "06:15:30.250"}),
        ({"uri": "/", "method": "GET", "status": 200, "duration_ms": 18}, {"response_time_s": 0.018}),
        ({"uri": "/", "method": "GET", "status": 200, "duration": "1.5ms"}, {"response_time_s": 0.0015}),
        ({"uri": "/", "method": "GET", "status": 200, "request_time": "-0.004"}, {"response_time_s": None}),
        ({"uri": "/\ud800", "method": "GET", "status": 200, "duration_ms": -1},
         {"target": "/?", "response_time_s": None, "flags": "no-protocol no-time no-response-time"}),
        ({"uri": "/", "method": "GET", "status": 200, "duration_ns": 10**20},
         {"response_time_s": None, "flags": "no-protocol no-time no-response-time"}),
        ({"request": "GET / HTTP/1.1", "status": 200, "duration_us": 3500}, {"response_time_s": 0.0035}),
        (CADDY_JSON | {"duration": "1.5ms"}, {"response_time_s": 0.0015}),
        ({"uri": "/", "method": "GET", "status": 200, "response_time": 3, "duration_ms": ""},
         {"response_time_s": None, "flags": "no-protocol no-time"}),
        ({"uri": "/", "method": "GET", "status": 200, "remote_addr": "[2001:db8::9]:443"}, {"client": "2001:db8::9"}),
    ],
)  # fmt: skip
def test_json_lines_are_read_by_their_keys(entry, expected):
    row = only_row(json.dumps(entry))
    row["time"] = None if row["time"] is None else row["time"].strftime("%T.%f")[:-3]
    assert {name: row[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("value", [12, "12", "soon"])
def test_a_json_duration_of_unknown_unit_is_not_read(value):
    for key in ("request_time", "response_time", "latency"):
        parsed = parsed_log(json.dumps({"uri": "/", "method": "GET", "status": 200, key: value}))
        assert parsed.tables["requests"]["response_time_s"].to_list() == [None]
        assert ["--format" in text for text in parsed.warnings] == [True]


def test_escapes_that_json_does_not_have_are_kept():
    line = r'{"request": "\x16\x03\\x \"a", "status": 400, "user_agent": "\u00e9"}'
    row = only_row(line)
    assert (row["target"], row["user_agent"]) == (r'\x16\x03\x "a', "é")


def test_one_fraction_shows_that_a_json_logs_request_times_are_seconds():
    lines = [
        json.dumps(NGINX_JSON | {"request_time": text}) for text in ("0.250", "2", "-", "-1", "x")
    ]
    rows = parsed_log(*lines).tables["requests"]
    assert rows["response_time_s"].to_list() == [0.25, 2.0, None, None, None]
    assert rows["flags"].to_list() == [None, None, None, "no-response-time", "no-response-time"]


def test_only_the_access_logger_of_caddy_logs_requests():
    """What it logs of an error, with the request and its status, is logged of the request too."""
    loggers = ("http.log.error", "http.log.access", "http.log.error.log3", "http.log.access.log3",
               "http.handlers.reverse_proxy", "http.log.accesses", "web")  # fmt: skip
    lines = [CADDY_JSON | {"logger": name, "status": 502} for name in loggers]
    parsed = parsed_log(*map(json.dumps, lines))
    assert parsed.tables["requests"]["line"].to_list() == [2, 4, 7]
    assert parsed.rejects["reason"].unique().to_list() == [texts.NOT_ACCESS_LOGGER]


def test_json_lines_that_are_no_requests_are_rejects():
    good = json.dumps(NGINX_JSON)
    others = [
        good[:60],
        "[1, 2]",
        '{"level": "info"}',
        '{"status": 200}',
        '{"uri": "/", "status": "x"}',
        "{" * 2000,
    ]
    parsed = parsed_log(*[good] * 7, *others)
    assert parsed.rejects["line"].to_list() == list(range(8, 8 + len(others)))
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1"):
        parsed_log('{"level": "info"}')


def test_lines_inside_dockers_log_are_read():
    inner = f'198.51.100.4 - bea {WHEN} {REQUEST} "-" "lynx" 0.004\n'
    outer = json.dumps({"log": inner, "stream": "stdout", "time": "2026-05-03T06:15:30Z"})
    row = only_row(outer)
    assert (row["client"], row["user"], row["response_time_s"]) == ("198.51.100.4", "bea", 0.004)
    parsed = parsed_log(outer, json.dumps({"log": "started\n", "stream": "stderr"}), outer)
    assert parsed.rejects["line"].to_list() == [2]


def test_every_form_gives_the_whole_table():
    frames = [parsed_log(line).tables["requests"] for line in (COMBINED, json.dumps(NGINX_JSON))]
    assert pl.concat(frames).height == 2


@pytest.mark.parametrize(
    "line",
    [
        f"shop.example.org 198.51.100.4 - bea {WHEN} {REQUEST}",
        f'shop.example.org:80 198.51.100.4 - - {WHEN} {REQUEST} "-" "lynx/2"',
        f"198.51.100.4 - bea lin {WHEN} {REQUEST}",
        f"fe80::2%eth1 - - {WHEN} {REQUEST}",
        f"May 03 08:15:30 web3 httpd[8]: 198.51.100.4 - - {WHEN} {REQUEST}",
        json.dumps(NGINX_JSON),
        json.dumps(CADDY_JSON),
        json.dumps(TRAEFIK_JSON),
        json.dumps({"log": f"{COMBINED}\n", "stream": "stdout"}),
    ],
)
def test_an_access_log_is_recognized_in_each_form(line):
    assert recognize(parse.log_from_text(f"{line}\n" * 3, "x.log")).kind == "access"
