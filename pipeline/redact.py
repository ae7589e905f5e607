"""Passwords and keys in command lines and requests, taken away before they are stored.

A command line can be read by every user of a machine, but a recording travels: what follows an
option or a variable that names a secret is replaced by `[redacted]`, and the rest stays. It is done
where a log is recorded (collectors/redact.py) and once more where logs become tables
(pipeline/redact.py); the two files are the same, because each part works without the other.
"""

import re

REDACTED = "[redacted]"
_NAME = (
    r"[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|credentials?)"
)
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
_MYSQL = r"(?:^|[\s/])(?:my(?:sql|isam)|maria|sshpass)\S*\s(?:.*?\s)?"
RULES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # --password=X, PGPASSWORD=X, a sub-option password=X, ?token=X
        r"((?:^|[\s,;&?'\"])" + _NAME + r"[=:])" + _VALUE,
        # --password X
        r"((?:^|\s)--?" + _NAME + r"\s+)(?!-)" + _VALUE,
        # QEMU: -object secret,id=s0,data=X
        r"(\bsecret\S*?,data=)[^\s,]+",
        # mysql -pX, sshpass -pX, sshpass -p X
        r"(" + _MYSQL + r"(?-i:-p))[^\s-]\S*",
        r"((?:^|[\s/])sshpass\s(?:.*?\s)?(?-i:-p)\s+)\S+",
        # curl -u user:X
        r"((?:^|\s)(?:-u|--user|--proxy-user)[\s=]+[^\s:]+:)\S+",
        # https://user:X@host
        r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)",
        r"(\bauthorization:[\s\x01]*\w+[\s\x01]+)\S+",
    )
)
SUSPECT = (
    r"(?i)pass|pwd|secret|token|key|credential|authorization|://|(?:my(?:sql|isam)|maria)\S*\s"
    r"|\s(?:-u|--user|--proxy-user)\b"
)
"""Without a match of this, no rule applies."""


def line(text):
    """A command line or a request without its secrets."""
    for pattern in RULES:
        text = pattern.sub(r"\1" + REDACTED, text)
    return text


def words(argv):
    """The same for a command line in words, which may hold blanks themselves (as \\x01 meanwhile)."""
    joined = " ".join(word.replace(" ", "\x01") for word in argv)
    return [word.replace("\x01", " ") for word in line(joined).split(" ")]
