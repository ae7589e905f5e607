"""Throw spoiled logs at the parsers: ``python tests/parse/fuzz.py [KIND …] [--seconds 60] [--seed 1]``.

Golden logs are cut, spliced, shuffled and sprinkled with bytes. A parser may read a line, refuse it, or
refuse the log with an error of ours; anything else is a find: it is printed, and the input is kept beside
this file as ``found-KIND-SEED-NUMBER.log``.
"""

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

from trials import goldens, light_conform, options

from pipeline import parse, tables

SPRINKLES = b"0123456789 .,:%/|-+KMGTBx'\"\n\r\0\t\xff"
LINES = (
    b"#T 1795383360000000000 51000000000 0 b\n",
    b"#T 99999999999999999999 1 1 b\n",
    b"#GAP x\n",
    b"#END\n",
    b"#T\n",
    b"\n\n",
    "é€漢".encode(),
    b"\xff\xfe",
)


def spoiled(log: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """The log after a few accidents."""
    text = bytearray(log)
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(text) + 1)
        upto = at + dice.randrange(1, 60)
        accident = dice.randrange(8)
        if accident == 0:
            del text[at:upto]
        elif accident == 1:
            text[at : at + 1] = bytes([dice.randrange(256)])
        elif accident == 2:
            text[at:at] = bytes(dice.choices(SPRINKLES, k=dice.randrange(1, 6)))
        elif accident == 3:
            other = dice.choice(others)
            start = dice.randrange(len(other) + 1)
            text[at:at] = other[start : start + dice.randrange(400)]
        elif accident == 4:
            text[at:at] = text[at:upto]
        elif accident == 5:
            lines = bytes(text).split(b"\n")
            which = dice.randrange(len(lines))
            lines[which : which + 1] = dice.choice(
                ([], [lines[which]] * 2, lines[which : which + 1][::-1])
            )
            text = bytearray(b"\n".join(lines))
        elif accident == 6:
            text[at:at] = dice.choice(LINES)
        else:
            del text[at:]
    return bytes(text)


def find(kind: str, log: bytes, given: dict) -> str | None:
    """What is wrong with how the log is taken; null if nothing is."""
    try:
        parsed = parse.parse_log(kind, parse.log_of(log, "x.log"), **given)
    except parse.AccountingError:
        return traceback.format_exc(limit=-4)
    except parse.ParseError as error:
        return (
            None
            if error.file == "x.log" and error.message
            else f"an error without its place: {error}"
        )
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return traceback.format_exc(limit=-4)
    lines = parsed.record_lines + parsed.headers + parsed.rejects.height
    return (
        None if lines == parsed.lines else f"{lines} lines in the books, {parsed.lines} in the log"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("kinds", nargs="*", default=list(parse.KINDS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tables.conform = light_conform
    finds = 0
    for kind in given.kinds:
        dice = random.Random(f"{kind} {given.seed}")
        logs = [(path.read_bytes(), options(path)) for path in goldens(kind)]
        texts = [text for text, _ in logs]
        end, count = time.monotonic() + given.seconds, 0
        while time.monotonic() < end:
            text, choices = dice.choice(logs)
            log = spoiled(text, texts, dice)
            count += 1
            what = find(kind, log, choices)
            if what:
                finds += 1
                kept = Path(__file__).with_name(f"found-{kind}-{given.seed}-{count}.log")
                kept.write_bytes(log)
                print(f"{kept.name} ({choices}):\n{what}", flush=True)
        print(f"{kind}: {count} inputs", flush=True)
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
