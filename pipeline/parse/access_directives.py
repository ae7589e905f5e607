"""What Apache's directives and nginx's variables print in an access log."""

from __future__ import annotations

CLIENT, USER, REQUEST, METHOD, TARGET, PATH, QUERY, PROTOCOL = (
    "client", "user", "request", "command", "target", "path", "query", "protocol",
)  # fmt: skip
STATUS, BODY_BYTES, SENT_BYTES, REFERER, USER_AGENT, FORWARDED = (
    "status", "body_bytes", "sent_bytes", "referer", "user_agent", "forwarded_for",
)  # fmt: skip
DURATION_S, DURATION_MS, DURATION_US, UPSTREAM = (
    "duration_s", "duration_ms", "duration_us", "upstream",
)  # fmt: skip
IDENTITY = "identity"
IGNORED = ""
"""A value that the table of requests does not have."""
LIST = "list"
"""A list of an upstream's values that is not read."""

DURATIONS = {DURATION_US: -6, DURATION_MS: -3, DURATION_S: 0}
"""Field of a duration → power of ten of its unit in seconds, the finest first."""

APACHE = {
    "a": CLIENT, "h": CLIENT, "l": IDENTITY, "u": USER, "r": REQUEST, "m": METHOD, "U": PATH, "q": QUERY, "H": PROTOCOL,
    "s": STATUS, "b": BODY_BYTES, "B": BODY_BYTES, "O": SENT_BYTES, "D": DURATION_US,
    **dict.fromkeys("ACefIikLnopPRSvVXx", IGNORED),
}  # fmt: skip
"""Apache's directives without ``%t`` and ``%T`` (mod_log_config, mod_logio, mod_ssl)."""

APACHE_HEADERS = {"referer": REFERER, "user-agent": USER_AGENT, "x-forwarded-for": FORWARDED}
"""Request headers, ``%{NAME}i``, in lower case."""

APACHE_DURATIONS = {"": DURATION_S, "s": DURATION_S, "ms": DURATION_MS, "us": DURATION_US}
"""Argument of ``%T`` → field."""

TIME_TOKENS = {
    "": "[%d/%b/%Y:%H:%M:%S %z]", "sec": "%s", "msec": "%s", "usec": "%s",
    "msec_frac": "%3f", "usec_frac": "%6f",
}  # fmt: skip
"""Argument of ``%t`` that is no strftime format → the format that it stands for."""

TIME_PARTS = {
    "Y": ("year", "[0-9]{4}"), "m": ("month", "[0-9]{2}"), "d": ("day", "[0-9]{2}"),
    "e": ("day", " ?[0-9]{1,2}"), "b": ("month_name", "[A-Za-z]{3}"), "h": ("month_name", "[A-Za-z]{3}"),
    "H": ("hour", "[0-9]{2}"), "M": ("minute", "[0-9]{2}"), "S": ("second", "[0-9]{2}"),
    "z": ("offset", "Z|[+-][0-9]{2}:?[0-9]{2}"), "s": ("epoch", "[0-9]+"), "Z": (IGNORED, "[A-Za-z0-9+-]+"),
    "a": (IGNORED, "[A-Za-z]{3}"), "3f": ("fraction", "[0-9]{3}"), "6f": ("fraction", "[0-9]{6}"),
}  # fmt: skip
"""strftime code → part of the time, and its pattern."""
TIME_COMPOSITES = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "R": "%H:%M"}

NGINX_TIMES = {
    "time_local": "%d/%b/%Y:%H:%M:%S %z", "time_iso8601": "%Y-%m-%dT%H:%M:%S%z", "msec": "%s.%3f",
}  # fmt: skip
NGINX = {
    "remote_addr": CLIENT, "remote_user": USER, "request": REQUEST, "request_method": METHOD,
    "request_uri": TARGET, "uri": PATH, "server_protocol": PROTOCOL, "status": STATUS,
    "body_bytes_sent": BODY_BYTES, "bytes_sent": SENT_BYTES, "http_referer": REFERER,
    "http_user_agent": USER_AGENT, "http_x_forwarded_for": FORWARDED, "proxy_add_x_forwarded_for": FORWARDED,
    "request_time": DURATION_S, "upstream_response_time": UPSTREAM,
}  # fmt: skip
NGINX_IGNORED = (
    r"(?:http|sent_http|sent_trailer|upstream|cookie|arg|ssl|geoip|geoip2|proxy_protocol|limit|tcpinfo|jwt|proxy)_\w+"
    r"|args|is_args|query_string|binary_remote_addr|connection|connection_requests|connection_time|connections_\w+"
    r"|content_length|content_type|document_root|document_uri|gzip_ratio|host|hostname|http2|http3|https|nginx_version"
    r"|pid|pipe|realip_remote_addr|realip_remote_port|realpath_root|remote_port|request_body|request_completion"
    r"|request_filename|request_id|request_length|scheme|server_addr|server_name|server_port|status_text|trace_id"
)
"""Variables of nginx's own modules that are not read."""

PREDEFINED = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "combinedio": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
    "vhost_combined": '%v:%p %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "main": (
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent" "$http_x_forwarded_for"'
    ),
}
"""Formats by the names that Apache's and nginx's configurations give them."""
