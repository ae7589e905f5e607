"""Passwords and keys in command lines and requests, taken away before they are stored.

A command line can be read by every user of a machine, but a recording travels: what follows an
option or a variable that names a secret, or a short option of a program known to take one, is
replaced by `[redacted]`, and the rest stays. It is done where a log is recorded
(collectors/agent/redact.py) and once more where logs become tables (pipeline/redact.py); the two files
are the same, because each part works without the other.

Anybody may write a command line, so no rule may take longer than in proportion to its length: a
rule begins only where a word does, and looks no further than where the next one could begin.
"""

import re

REDACTED = "[redacted]"
MEANWHILE = {" ": "\x01", "\n": "\x02", "\t": "\x03", "\r": "\x04"}
"""White space within a word, while words are joined by blanks."""
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
        # commands in which a secret has a place of its own
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
"""Programs, and after which of their options a secret stands."""
SUSPECT = (
    r"(?i)pass|pwd|secret|token|key|credential|authorization|cookie|bearer|auth|://|@(?:tcp|unix)\("
    r"|\s(?:-u|--user|--proxy-user)\b|add_user|mysql|myisam|maria|(?:redis|valkey)-cli|mongo|cqlsh"
    r"|cypher-shell|rabbitmqadmin|rdesktop|login|ldap|sqlcmd|bcp|ipmitool|mosquitto_|zip|7z|rar"
    r"|snmp|plink|pscp|psftp|lftp|openssl|curl|sqlplus|\bab\b"
)
"""Without a match of this, no rule applies."""
_suspect = re.compile(SUSPECT).search


def line(text):
    """A command line or a request without its secrets."""
    if not _suspect(text):
        return text
    for pattern in RULES:
        text = pattern.sub(r"\1" + REDACTED, text)
    for name, option in PROGRAMS:
        found = name.search(text)
        if found:
            rest = option.sub(r"\1" + REDACTED, text[found.end() :])
            text = text[: found.end()] + rest
    return text


def words(argv):
    """The same for a command line in words, which may hold white space themselves."""
    there = str.maketrans(MEANWHILE)
    back = str.maketrans({there: here for here, there in MEANWHILE.items()})
    joined = line(" ".join(word.translate(there) for word in argv))
    return [word.translate(back) for word in joined.split(" ")]
