"""Which regular expressions a plan may have: those that Python's `re` (here and in the collectors) and Rust's `regex`
(in the pipeline, which reads the recording) both accept with one meaning. Only Python is on the client, so a scanner
accepts the syntax that they have in common and refuses the rest."""

import re

import texts

MAX_CHARACTERS = 4096  # as the pipeline reads it
MAX_COUNT = 1000
MAX_DEPTH = 20
MAX_SIZE = 10000
"""Rust's engine compiles at most 10 MiB: 208 times \\w, 816 times \\D, 108,000 times (a)."""
SIZES = {"\\w": 50, "\\W": 50, "\\d": 13, "\\D": 13, "\\s": 2, "\\S": 2}
"""In units of MAX_SIZE; Rust's classes are Unicode's. Everything else has 1."""
CHARACTER = r"\\[tnrfv]|\\x[0-7][0-9A-Fa-f]|\\[ !-/:;=?@[-`{-~]"
"""An escape of one ASCII character; \\< and \\> are boundaries of words in Rust."""
CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
FLAGS = re.compile(r"\(\?([imsx]+)\)")
TOKEN = re.compile(
    r"(?P<atom>\.|\\[dDwWsS]|%s)|(?P<anchor>[\^$]|\\[bBA])|(?P<literal>[^\\()\[{*+?|^$.\ud800-\udfff])"
    r"|(?P<open>\((?:\?:|\?P<(?P<name>[A-Za-z_][A-Za-z0-9_]*)>|(?!\?)))|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>(?:[*+?]|\{(?P<low>[0-9]+)(?P<comma>,?)(?P<high>(?<=,)[0-9]*)?\})\??)" % CHARACTER
)
SET = re.compile(r"\\[dDwWsS]")
MEMBER = re.compile(r"%s|[^\\\[\]\x80-\U0010ffff-]" % CHARACTER)
SPACE = " \t\n\r\v\f"


class RefusedError(Exception):
    """Not a pattern for both engines; the message says where, and what to write."""


def find_problem(pattern):
    """None for a pattern that both engines accept; else one line: which character, and what to write.

    >>> find_problem("^apache2$"), find_problem("x\\\\Z")
    (None, 'regular expression: character 2, \\\\Z: write $')
    """
    try:
        if len(pattern) > MAX_CHARACTERS:
            return texts.REGEX_LENGTH % (len(pattern), MAX_CHARACTERS)
        scan(pattern)
        re.compile(pattern)
    except RefusedError as e:
        return str(e)
    except (re.error, TypeError, OverflowError, RecursionError) as e:
        return texts.NOT_A_REGEX % e
    return None


def is_empty_match(pattern):
    """Does a pattern without problems match the empty text? In Rust \\B does, in Python before 3.14 it does not."""
    boundaries = re.compile(r"\\(.)", re.S)
    text = boundaries.sub(lambda m: "(?:)" if m.group(1) == "B" else m.group(), pattern)
    return bool(re.search(text, ""))


def refuse(at, shown, reason):
    """Raise RefusedError for what is shown, which begins at the index `at`."""
    raise RefusedError(texts.REGEX_AT % (at + 1, ascii(shown)[1:-1].replace("\\\\", "\\"), reason))


def read_flags(pattern):
    """Index after the flags at the beginning, and whether white space has no meaning (x)."""
    at, letters = 0, ""
    match = FLAGS.match(pattern)
    while match:
        letters += match.group(1)
        if len(set(match.group(1))) < len(match.group(1)):
            refuse(at, match.group(), texts.REGEX_FLAGS)
        at = match.end()
        match = FLAGS.match(pattern, at)
    return at, "x" in letters


def scan(pattern):
    """Raise RefusedError at the first character that is not in both engines' syntax."""
    at, is_verbose = read_flags(pattern)
    names = set()
    groups = []  # (index, size of what is before it) of each open group
    size = 0  # of the current group
    last = None  # size of what can be repeated
    is_repeated = False
    while at < len(pattern):
        if is_verbose and pattern[at] in SPACE:
            at += 1
            continue
        if pattern[at] == "[":
            end, last = scan_class(pattern, at, is_verbose)
            size, at, is_repeated = size + last, end, False
            continue
        token = TOKEN.match(pattern, at)
        if token is None or (is_verbose and pattern[at] == "#"):
            refuse_rest(pattern, at)
        kind, text = token.lastgroup, token.group()
        if token.group("repeat"):
            if last is None:
                refuse(at, text, texts.REGEX_REPEATED if is_repeated else texts.REGEX_NO_ATOM)
            size += last * (count_repeats(token, at) - 1)
            last, is_repeated = None, True
        elif token.group("open"):
            name = token.group("name")
            if name in names:
                refuse(at, text, texts.REGEX_NAME)
            if len(groups) == MAX_DEPTH:
                refuse(at, text, texts.REGEX_DEPTH % MAX_DEPTH)
            names.update([name] if name else [])
            groups.append((at, size))
            size, last, is_repeated = 1, None, False
        elif kind == "close":
            if not groups:
                refuse(at, text, texts.REGEX_CLOSE)
            last, is_repeated = size, False
            size += groups.pop()[1]
        else:
            has_bytes = kind == "literal" and text > "\x7f"  # the collectors compare bytes
            is_atom = kind in ("atom", "literal") and not has_bytes
            last, is_repeated = SIZES.get(text, 1) if is_atom else None, False
            size += last or 1
            if has_bytes and pattern[token.end() : token.end() + 1] in tuple("*+?{"):
                refuse(at, text, texts.REGEX_NOT_ASCII)
        if size > MAX_SIZE:
            refuse(at, text, texts.REGEX_SIZE)
        at = token.end()
    if groups:
        refuse(groups[-1][0], "(", texts.REGEX_OPEN)


def count_repeats(token, at):
    """How often a repeated part is compiled."""
    if token.group("low") is None:
        return 1
    low, high = int(token.group("low")), int(token.group("high") or token.group("low"))
    if max(low, high) > MAX_COUNT:
        refuse(at, token.group(), texts.REGEX_COUNT % MAX_COUNT)
    if low > high:
        refuse(at, token.group(), texts.REGEX_COUNTS)
    return max(high, 1)


def scan_class(pattern, start, is_verbose):
    """Index after the class of characters that begins at `start`, and its size."""
    at = first = start + (2 if pattern.startswith("[^", start) else 1)
    size = 1
    while not pattern.startswith("]", at) or at == first:
        rest = pattern[at : at + 2]
        if not rest:
            refuse(start, "[", texts.REGEX_CLASS_OPEN)
        check_member(pattern, at, is_verbose)
        is_set = SET.match(pattern, at)
        member = is_set or MEMBER.match(pattern, at)
        if rest[0] == "-" and (at == first or rest == "-]"):
            at += 1
        elif member is None:
            refuse_rest(pattern, at, is_class=True)
        else:
            size += SIZES.get(member.group(), 1)
            at = member.end()
            upper = None if is_set else MEMBER.match(pattern, at + 1)
            if upper and pattern.startswith("-", at):
                check_member(pattern, at + 1, is_verbose)
                if code_of(member.group()) > code_of(upper.group()):
                    refuse(at, "-" + upper.group(), texts.REGEX_RANGE)
                at = upper.end()
    return at + 1, size


def check_member(pattern, at, is_verbose):
    """Refuse what is an operator of sets, or no member, in one of the engines only."""
    text = pattern[at : at + 2]
    if text in ("&&", "~~", "||", "--"):
        refuse(at, text, texts.REGEX_WRITE % ("\\" + text[0]))
    if is_verbose and text[0] in SPACE + "#":
        refuse(at, text[0], texts.REGEX_WRITE % (r"\x%02x" % ord(text[0])))


def code_of(member):
    """The code of one character of a class.

    >>> [code_of(member) for member in ("a", "\\\\-", "\\\\n", "\\\\x41")]
    [97, 45, 10, 65]
    """
    if member.startswith("\\x"):
        return int(member[2:], 16)
    return CONTROLS.get(member[1:], ord(member[-1]))


def refuse_rest(pattern, at, is_class=False):
    """Raise RefusedError with what to write for the character at an index."""
    if is_class and pattern[at] > "\x7f":
        refuse(at, pattern[at], texts.REGEX_NOT_ASCII_CLASS)
    for syntax, hint in texts.REGEX_HINTS:
        match = re.compile(syntax).match(pattern, at)
        if match:
            refuse(at, match.group(), hint)
    if is_class and pattern[at] in "-[]":
        refuse(at, pattern[at], texts.REGEX_WRITE % ("\\" + pattern[at]))
    refuse(at, pattern[at], texts.REGEX_OTHER)
