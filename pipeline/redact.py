"""Removes passwords and keys from command lines and requests before they are stored.

Every user of a machine can read its command lines, but a recording is copied to other places: what
follows an option or a variable that names a secret, or a short option of a program that takes one, is
replaced by `[redacted]`, and the rest is kept. It is done where a log is recorded
(collectors/agent/redact.py) and again where logs become tables (pipeline/redact.py). The two files are
identical, because each part works without the other.

A statement or the query of a request may hold anything that its user has written: unless a study keeps them,
only their shape is, with `?` for each literal (`statement_shape`, `query_shape`).

Any user can choose a command line, so the time that a rule takes must be proportional to its length: a
match begins only where a word does, and does not extend beyond the place where the next one could begin.
"""

import re

REDACTED = "[redacted]"
PLACEHOLDERS = {" ": "\x01", "\n": "\x02", "\t": "\x03", "\r": "\x04"}
"""For white space within an argument, while the arguments are joined by blanks."""
_BLANK = r"(?:[\s\x01-\x04]|\\[nrt])"
_WORD = r"[^\s\x01-\x04\\]+"
_BEGIN = r"(?:^|[\s\x01-\x04,;&?/'\"`{(]|\\[nrt]|%(?:2[0267c]|3[bf]))"
_NAME = (
    r"[\w.-]*(?:(?<!by)(?<!com)pass?(?:w(?:o|or|ord|d)?|phrase|code)?|pwd|(?<![a-z])ps?w|token|credentials?"
    r"|bearer|auth[-_]?key|(?:api|access|private|encryption)[-_.]?key|sess(?:ion)?[-_]?id|(?<![a-z])sig(?:nature)?"
    r"|(?<!password-)secret(?:[-_.]?(?:access[-_.]?)?key)?|masterauth|redis(?:cli)?_auth)"
)
# a comma, semicolon or & ends a value only where another `key=` follows
_VALUE = (
    r"(?:\"(?:\\.|[^\"\\])*(?:\"|$)|'(?:\\.|[^'\\])*(?:'|$)"
    r"|(?:\\[^nrt]|[^ \t\r\n\f\v,;&]|[,;&](?![\w.-]+=))+)"
)
_HEADER = r"\\?[\"']?[:=]" + _BLANK + r"?\[?\\?[\"']?"
"""Between a header's name and its value, also in JSON."""
_STRING = (
    r"(?:'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'?|\"[^\"\\]*(?:(?:\"\"|\\.)[^\"\\]*)*\"?|\b0x[0-9a-f]+)"
)
"""A literal of SQL; a truncated line may end in it."""
RULES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # --password=X, PGPASSWORD=X, a sub-option password=X, ?token=X, password = X; no PWD=/folder
        r"(" + _BEGIN + r"(?!(?:old)?pwd=/)(?:" + _NAME + r"|[\w.-]*auth)\\?[\"'`]?(?:=|%3d|"
        + _BLANK + r"=" + _BLANK + r"?))" + _VALUE,
        # STRIPE_KEY=X, as variables are written; no path of a key's file
        r"(" + _BEGIN + r"(?-i:[A-Z][A-Z0-9_]*_KEY)=)(?!/)" + _VALUE,
        # "password": "X", X-Api-Key: X, pass:X
        r"(" + _BEGIN + _NAME + r"\\?[\"']?" + _BLANK + r"?:" + _BLANK + r"?)" + _VALUE,
        # <password>X</password>
        r"(<" + _NAME + r">)[^<]+",
        # password LIKE 'X', token IN ('X'
        r"(" + _BEGIN + _NAME + r"[`\"]?" + _BLANK + r"*(?:like|in|<=>|<>|!=|:=)" + _BLANK + r"*\(?)"
        + _STRING,
        # --password X
        r"((?:^|" + _BLANK + r")(?!--?(?:no|skip)-)--?" + _NAME + _BLANK + r"+)(?!-)" + _VALUE,
        # QEMU: -object secret,id=s0,data=X, and the same as JSON; rbd:pool/disk:id=me:key=X
        r"((?:^|" + _BLANK + r")secret\w*,(?:[^\s\x01-\x04\\,]*,)*?data=)[^\s,]+",
        r"(\"qom-type\":\s?\"secret[^}]{0,300}?\"data\":\s?\")[^\"]+",
        r"(:key=)[^\s:,]+",
        # -smbios type=11,value=io.systemd.credential:NAME=X
        r"(\bcredential(?:\.binary)?:[^\s=,:]*=)[^\s,]+",
        # curl -u user:X, smbclient -U user%X; no numbers as of docker -u 1000:1000
        r"((?:^|" + _BLANK + r")(?:-u|--user|--proxy-user|--(?:basic-)?auth)(?:=|" + _BLANK + r"+)"
        r"(?!\d+:\d+(?:\s|$))[\"']?[^\s\x01-\x04\\:%=+-][^\s\x01-\x04\\:%]*[:%])" + _VALUE,
        # https://user:X@host, https://X@host, user:X@tcp(host)
        r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s\x01-\x04/]+(?=@)",
        r"((?<![a-z0-9+.-])https?://)[^\s/:@]+(?=@)",
        r"((?:^|[\s\x01-\x04'\"=])[\w.-]+:)[^\s\x01-\x04/'\"=]+(?=@(?:tcp|unix)\()",
        r"((?:\b|-H)authorization" + _HEADER + r"(?:\\?" + _BLANK + r")?digest" + _BLANK
        + r")(?:[\w-]+=(?:\\?\"[^\"\\]*\\?\"|[^\s\x01-\x04\",]+),?" + _BLANK + r"?)+",
        r"((?:\b|-H)authorization" + _HEADER + r"(?:\\?" + _BLANK
        + r")?(?:(?:basic|bearer|digest|negotiate|token)\\?" + _BLANK + r")?)[^ \t\r\n\"']+",
        r"((?:\b|-H)cookie" + _HEADER + r")[^ \t\r\n\"']+(?:(?<=;)[ \t][^ \t\r\n\"'=]+=[^ \t\r\n\"']+)*",
        # commands with a secret at a fixed position
        r"(\b(?:add_user|change_password|authenticate_user)" + _BLANK + _WORD + _BLANK + r")[^ \t\r\n]+",
        r"(\bsecret-set-value" + _BLANK + _WORD + _BLANK + r")(?!-)[^ \t\r\n]+",
        r"(\b(?:secret-set-value|set-user-password)" + _BLANK + _WORD + _BLANK + _WORD + _BLANK
        + r")(?!-)[^ \t\r\n]+",
    )
)  # fmt: skip
PROGRAMS = tuple(
    (
        re.compile(r"(?:^|[\s\x01-\x04/'\"(;|&]|\\[nrt])(?:" + name + r")(?=" + _BLANK + r")"),
        re.compile(r"((?:^|" + _BLANK + r")" + option + r")" + value),
    )
    for name, option, value in (
        (r"(?:mysql|myisam|maria)[\w.-]*", r"-p(?=[^\s\x01-\x04-])", _VALUE),
        (r"(?:mysql|mariadb-?)admin", r"(?:old-)?password" + _BLANK + r"+", _VALUE),
        (r"mydumper|myloader", r"-p" + _BLANK + r"*", _VALUE),
        (r"pt-[\w-]+", r"(?:[^\s\x01-\x04,]+,)*p=", r"[^\s,]+"),
        (r"htpasswd", r"-\w*b\w*(?:" + _BLANK + r"-\w+)*" + _BLANK + _WORD + _BLANK + _WORD + _BLANK, r"[^ \t\r\n]+"),
        (r"(?:openssl" + _BLANK + r"|mk)passwd", r"(?:-\w+" + _BLANK + r")*", r"[^\s\x01-\x04-][^ \t\r\n]*"),
        (r"wpa_passphrase", _WORD + _BLANK, r"[^ \t\r\n]+"),
        (r"nmcli", r"password" + _BLANK, _VALUE),
        (r"sshpass", r"-p" + _BLANK + r"*", r"[^\s\x01-\x04][^ \t\r\n]*"),
        (r"(?:redis|valkey)-cli", r"-a" + _BLANK, r"[^ \t\r\n]+"),
        (r"mongo(?:sh|dump|restore|export|import|stat|top|files)?|cqlsh|cypher-shell|rabbitmqadmin"
         r"|rdesktop|(?:docker|podman|buildah|skopeo|nerdctl|az)" + _BLANK + "login",
         r"-p(?:=|" + _BLANK + r")?", r"[^\s\x01-\x04-][^ \t\r\n]*"),
        (r"ldap\w+", r"-w" + _BLANK + r"*", r"[^\s\x01-\x04][^ \t\r\n]*"),
        (r"ldappasswd", r"-[as]" + _BLANK + r"*", r"[^\s\x01-\x04][^ \t\r\n]*"),
        (r"sqlcmd|bcp|ipmitool|mosquitto_\w+|zip|unzip", r"-P" + _BLANK + r"*", r"[^\s\x01-\x04][^ \t\r\n]*"),
        (r"7z\w*|(?:un)?rar", r"-(?:hp|p)", r"[^\s\x01-\x04-][^ \t\r\n]*"),
        (r"snmp\w+", r"-[AXc]" + _BLANK + r"*", r"[^\s\x01-\x04][^ \t\r\n]*"),
        (r"plink|pscp|psftp", r"-pw" + _BLANK, r"[^ \t\r\n]+"),
        (r"lftp", r"-u" + _BLANK + r"*[^\s\x01-\x04\\,]+,", r"[^ \t\r\n]+"),
        (r"openssl", r"-[kK]" + _BLANK, r"[^ \t\r\n]+"),
        (r"curl", r"(?:-\w*[uU]" + _BLANK + r"*[\"']?|(?:-E|--cert)" + _BLANK
         + r")[^\s\x01-\x04\\:=-][^\s\x01-\x04\\:]*:", _VALUE),
        (r"curl", r"(?:-b" + _BLANK + r"*|--cookie(?:=|" + _BLANK + r"+))(?=[^\s\x01-\x04]*=)", _VALUE),
        (r"ab", r"-[AP]" + _BLANK + r"*[^\s\x01-\x04\\:]+:", r"[^ \t\r\n]+"),
        (r"sqlplus", r"[^\s\x01-\x04\\/@-][^\s\x01-\x04\\/@]*/", r"[^\s@]+"),
    )
)  # fmt: skip
"""Programs, and their options that are followed by a secret."""
STATEMENTS = re.compile(
    r"\bidentified\b|\bset" + _BLANK + r"+password\b|\bpassword(?:" + _BLANK + r"*\(|" + _BLANK + r"+(?=['\"]))"
    r"|\b(?:old_password|(?:aes|des)_(?:en|de)crypt|encrypt|encode|decode|md5|sha[12]?)" + _BLANK + r"*\("
    r"|[(,]" + _BLANK + r"?`?\w{0,64}(?:pass(?:word|wd|phrase)?|secret|token)`?" + _BLANK + r"?[,)]",
    re.IGNORECASE,
)  # fmt: skip
"""Where a secret begins in a statement of SQL: each literal after it is redacted."""
_LITERAL = re.compile(_STRING, re.IGNORECASE)
SUSPECT = (
    r"(?i)pass|pwd|secret|token|key|credential|authorization|cookie|bearer|auth|://|@(?:tcp|unix)\("
    r"|\s(?:-u|--user|--proxy-user)\b|add_user|mysql|myisam|maria|(?:redis|valkey)-cli|mongo|cqlsh"
    r"|cypher-shell|rabbitmqadmin|rdesktop|login|ldap|sqlcmd|bcp|ipmitool|mosquitto_|zip|7z|rar"
    r"|snmp|plink|pscp|psftp|lftp|openssl|curl|sqlplus|\bab\b|identified|crypt\s*\(|mydumper|myloader|\bpt-"
    r"|\b(?:md5|sha[12]?|encode|decode)\s*\(|psw|pw['\"]?\s?[=:]|--?pas?\b|sess|\bsig"
)
"""No rule applies to a text that does not match this."""
_suspect = re.compile(SUSPECT).search


def redact_line(text):
    """A command line or a request without its secrets."""
    if not _suspect(text):
        return text
    m = STATEMENTS.search(text)
    if m:
        text = text[: m.end()] + _LITERAL.sub(REDACTED, text[m.end() :])
    for pattern in RULES:
        text = pattern.sub(r"\1" + REDACTED, text)
    for program, option in PROGRAMS:
        m = program.search(text)
        if m:
            text = text[: m.end()] + option.sub(r"\1" + REDACTED, text[m.end() :])
    return text


def redact_argv(argv):
    """The arguments of a command without its secrets; they may contain white space."""
    hide = str.maketrans(PLACEHOLDERS)
    restore = str.maketrans({placeholder: c for c, placeholder in PLACEHOLDERS.items()})
    joined = redact_line(" ".join(word.translate(hide) for word in argv))
    return [word.translate(restore) for word in joined.split(" ")]


LITERALS = re.compile(
    r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'(?!')"
    r'|"[^"\\]*(?:(?:""|\\.)[^"\\]*)*"(?!")'
    r"|`[^`\n]*`|/\*[!+]"  # kept: a quoted name, the beginning of a comment that is executed
    r"|/\*.*?\*/|(?:--(?=\s|$)|#)[^\n]*"
    r"|(['\"]|/\*).*"  # not closed
    r"|(?<![\w$@])[0-9](?:[0-9.]*[eE][+-][0-9]+|[\w.]*)",
    re.DOTALL,
)
SIMPLE_STATEMENT = r"^(?:[^'\"`#@$/\\-]|'[^'\\]*')*$"
SIMPLE_LITERALS = r"(?:'[^']*')+|\b[0-9](?:[0-9.]*[eE]\+[0-9]+|[\w.]*)"
"""The literals of a simple statement, for a faster engine without look-behind; they give the same shape."""
_CLOSED = {
    "'": re.compile(r"[^'\\]*(?:(?:''|\\.)[^'\\]*)*'(?!')", re.DOTALL),
    '"': re.compile(r"[^\"\\]*(?:(?:\"\"|\\.)[^\"\\]*)*\"(?!\")", re.DOTALL),
    "/*": re.compile(r".*?\*/", re.DOTALL),
}
_COMMENTS = {"/": "/*?*/", "-": "-- ?", "#": "#?"}
"""By the first character of a comment."""
_QUERY = re.compile(r"(?<=\?)(?:\\.|'(?![\s,]|$)|[^\s\"'<>\\])+")
_DELIMITED_QUERY = re.compile(r"(?<=\?)(?:\\.|[^\s\"'<>\\,|])+")
"""In a line whose fields are separated by commas or bars."""
_PARAMETER = re.compile(r"(\\u0026|[&;])")


def statement_shape(text, opened=""):
    """A statement of SQL with `?` for each number, string and comment: (its shape, what is open at its end).

    A literal may have several lines: what was open at the end of one (`'`, `"`, `/*` or nothing) is given with
    the next. Names are kept, quoted by backticks or with digits in them.
    """
    if opened:
        m = _CLOSED[opened].match(text)
        if m is None:
            return "", opened
        text = text[m.end() :]
    opened = ""

    def shape(m):
        nonlocal opened
        whole = m.group()
        if whole[0] == "`" or whole in ("/*!", "/*+"):
            return whole
        opened = m.group(1) or ""
        return _COMMENTS.get(whole[0], "?")

    return LITERALS.sub(shape, text), opened


def query_shape(text):
    """A request, an address or a line of an access log with `?` for each value in the query of an address."""
    if "?" not in text:
        return text
    pattern = _QUERY if '"' in text or " " in text else _DELIMITED_QUERY
    return pattern.sub(lambda m: "".join(map(_parameter_shape, _PARAMETER.split(m.group()))), text)


def _parameter_shape(part):
    if part in ("", "&", ";", "\\u0026"):
        return part
    name, equals, _ = part.partition("=")
    return name + "=?" if equals else "?"


_STAMP = (
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][ 0-9][0-9]:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|[0-9]{6} [ 0-9][0-9]:[0-9]{2}:[0-9]{2})"
)
HEAD = re.compile(
    r"(?:\s*"
    + _STAMP
    + r"\s+|\t\t *| {16,}|[\t ]*\t {1,4}(?=[0-9])|[^'\"\n]{1,80}?[\t ](?=[0-9]+ (?:Query|Execute"
    r"|Prepare|Connect|Quit|Close stmt|Init DB)(?:\t|\s*$)))[0-9]+ (?P<command>(?:[A-Z]|c(?=lone))[A-Za-z_]*"
    r"(?: [A-Za-z]+){0,5})"
    r"(?:\t| {2,}|\s*$)"
)
"""The first line of a command in a general query log, up to its argument."""
NAMES = re.compile(
    r"(?:Connect|Init|Create|Drop|Field|Kill|Quit|Ping|Statistics|Processlist|Close|Reset|Change|Refresh)\b"
)
"""Commands whose argument is a name or a number."""
OTHERS = re.compile(
    _STAMP + r"\s+(?:[0-9]+\s+|0x[0-9a-f]+\s+)?(?:\[\w+\]|mysqld_safe |InnoDB: )"
    r"|\S.{0,200}, Version: .*|T(?:cp|CP) [Pp]ort: .*|Time\s+Id\s+Command\s+Argument|InnoDB: |Version: '"
    r"|[-0-9:.TZ ]{0,40}(?:UTC )?(?:- )?\S{0,60}(?:mysqld|mariadbd)\S{0,20}(?:: | got [a-z]+ [0-9a-fx]+)"
    r"|# (?:Time: " + _STAMP + r"|User@Host: .{0,200}\[.{0,200}@|Query_time: [0-9.]+)"
)
"""What is kept of a line that is none of a statement: of a server's start, of its error log or its slow query log."""


class StatementFilter:
    """The lines of a general query log with their statements' shape only.

    A literal may have several lines. The first lines, up to the first command, may be the end of one: nothing of
    them is kept.
    """

    def __init__(self):
        self.opened = None  # what is open at the end of the last line; None: not known
        self.is_line_ended = True

    def line(self, text):
        """The next line as it is kept, its end included; "" where a literal goes on."""
        m = HEAD.match(text) or OTHERS.match(text)
        if m is None and self.opened is None:
            return "?" + text[len(text.rstrip("\r\n")) :]
        kept, rest = "", text
        if m is not None:
            kept, rest = text[: m.end()], text[m.end() :]
            if not self.is_line_ended:
                kept = "\n" + kept
            self.opened = ""
        if m is None or m.re is OTHERS or not NAMES.match(m.group("command")):
            rest, self.opened = statement_shape(rest, self.opened)
        if m is not None and m.re is OTHERS:
            self.opened = None
            if text.endswith("\n") and not rest.endswith("\n"):
                rest += "\n"
        if kept or rest:
            self.is_line_ended = (kept + rest).endswith("\n")
        return redact_line(kept + rest)
