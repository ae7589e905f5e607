"""Removes passwords and keys from command lines and requests before they are stored.

Every user of a machine can read its command lines, but a recording is copied to other places: what
follows an option or a variable that names a secret, or a short option of a program that takes one, is
replaced by `[redacted]`, and the rest is kept. It is done where a log is recorded
(collectors/agent/redact.py) and again where logs become tables (pipeline/redact.py). The two files are
identical, because each part works without the other.

Any user can choose a command line, so the time that a rule takes must be proportional to its length: a
match begins only where a word does, and does not extend beyond the place where the next one could begin.
"""

import re

REDACTED = "[redacted]"
PLACEHOLDERS = {" ": "\x01", "\n": "\x02", "\t": "\x03", "\r": "\x04"}
"""For white space within an argument, while the arguments are joined by blanks."""
_BLANK = r"(?:[\s\x01-\x04]|\\[nrt])"
_WORD = r"[^\s\x01-\x04\\]+"
_BEGIN = r"(?:^|[\s\x01-\x04,;&?/'\"{(]|\\[nrt])"
_NAME = (
    r"[\w.-]*(?:(?<!by)(?<!com)pass(?:word|wd|phrase|code)?|pwd|token|credentials?|bearer|auth[-_]?key"
    r"|(?:api|access|private|encryption)[-_.]?key|(?<!password-)secret(?:[-_.]?(?:access[-_.]?)?key)?"
    r"|masterauth|redis(?:cli)?_auth)"
)
# a comma, semicolon or & ends a value only where another `key=` follows
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|(?:[^\s,;&]|[,;&](?![\w.-]+=))+)"
RULES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # --password=X, PGPASSWORD=X, a sub-option password=X, ?token=X; no PWD=/folder
        r"(" + _BEGIN + r"(?!(?:old)?pwd=/)" + _NAME + r"\\?[\"']?=)" + _VALUE,
        # "password": "X", X-Api-Key: X, pass:X
        r"(" + _BEGIN + _NAME + r"\\?[\"']?:" + _BLANK + r"?)" + _VALUE,
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
        r"(?!\d+:\d+(?:\s|$))[^\s\x01-\x04\\:%=+-][^\s\x01-\x04\\:%]*[:%])\S+",
        # https://user:X@host, https://X@host, user:X@tcp(host)
        r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s\x01-\x04/]+(?=@)",
        r"((?<![a-z0-9+.-])https?://)[^\s/:@]+(?=@)",
        r"((?:^|[\s\x01-\x04'\"=])[\w.-]+:)[^\s\x01-\x04/'\"=]+(?=@(?:tcp|unix)\()",
        r"(\bauthorization:" + _BLANK + r"?(?:(?:basic|bearer|digest|negotiate|token)"
        + _BLANK + r")?)\S+",
        r"(\bcookie:" + _BLANK + r"?)\S+",
        # commands with a secret at a fixed position
        r"(\b(?:add_user|change_password|authenticate_user)" + _BLANK + _WORD + _BLANK + r")\S+",
        r"(\bsecret-set-value" + _BLANK + _WORD + _BLANK + r")(?!-)\S+",
        r"(\b(?:secret-set-value|set-user-password)" + _BLANK + _WORD + _BLANK + _WORD + _BLANK
        + r")(?!-)\S+",
    )
)  # fmt: skip
PROGRAMS = tuple(
    (
        re.compile(r"(?:^|[\s\x01-\x04/'\"(;|&]|\\[nrt])(?:" + name + r")(?=" + _BLANK + r")"),
        re.compile(r"((?:^|" + _BLANK + r")" + option + r")" + value),
    )
    for name, option, value in (
        (r"(?:mysql|myisam|maria)[\w.-]*", r"-p", r"[^\s\x01-\x04-]\S*"),
        (r"sshpass", r"-p" + _BLANK + r"*", r"[^\s\x01-\x04]\S*"),
        (r"(?:redis|valkey)-cli", r"-a" + _BLANK, r"\S+"),
        (r"mongo(?:sh|dump|restore|export|import|stat|top|files)?|cqlsh|cypher-shell|rabbitmqadmin"
         r"|rdesktop|(?:docker|podman|buildah|skopeo|nerdctl|az)" + _BLANK + "login",
         r"-p(?:=|" + _BLANK + r")?", r"[^\s\x01-\x04-]\S*"),
        (r"ldap\w+", r"-w" + _BLANK + r"*", r"[^\s\x01-\x04]\S*"),
        (r"ldappasswd", r"-[as]" + _BLANK + r"*", r"[^\s\x01-\x04]\S*"),
        (r"sqlcmd|bcp|ipmitool|mosquitto_\w+|zip|unzip", r"-P" + _BLANK + r"*", r"[^\s\x01-\x04]\S*"),
        (r"7z\w*|(?:un)?rar", r"-(?:hp|p)", r"[^\s\x01-\x04-]\S*"),
        (r"snmp\w+", r"-[AXc]" + _BLANK + r"*", r"[^\s\x01-\x04]\S*"),
        (r"plink|pscp|psftp", r"-pw" + _BLANK, r"\S+"),
        (r"lftp", r"-u" + _BLANK + r"*[^\s\x01-\x04\\,]+,", r"\S+"),
        (r"openssl", r"-[kK]" + _BLANK, r"\S+"),
        (r"curl", r"(?:-u|-U|(?:-E|--cert)" + _BLANK + r")[^\s\x01-\x04\\:=-][^\s\x01-\x04\\:]*:", r"\S+"),
        (r"ab", r"-[AP]" + _BLANK + r"*[^\s\x01-\x04\\:]+:", r"\S+"),
        (r"sqlplus", r"[^\s\x01-\x04\\/@-][^\s\x01-\x04\\/@]*/", r"[^\s@]+"),
    )
)  # fmt: skip
"""Programs, and their options that are followed by a secret."""
SUSPECT = (
    r"(?i)pass|pwd|secret|token|key|credential|authorization|cookie|bearer|auth|://|@(?:tcp|unix)\("
    r"|\s(?:-u|--user|--proxy-user)\b|add_user|mysql|myisam|maria|(?:redis|valkey)-cli|mongo|cqlsh"
    r"|cypher-shell|rabbitmqadmin|rdesktop|login|ldap|sqlcmd|bcp|ipmitool|mosquitto_|zip|7z|rar"
    r"|snmp|plink|pscp|psftp|lftp|openssl|curl|sqlplus|\bab\b"
)
"""No rule applies to a text that does not match this."""
_suspect = re.compile(SUSPECT).search


def redact_line(text):
    """A command line or a request without its secrets."""
    if not _suspect(text):
        return text
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
