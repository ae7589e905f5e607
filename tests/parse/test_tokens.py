"""Fields, numbers and texts by NumPy are those of Python's split and int."""

import random

import numpy as np

from pipeline.parse.tokens import MAX_DIGITS, Text, is_plain


def random_line(rng):
    fields = []
    for _ in range(rng.randrange(6)):
        size = rng.randrange(1, 20)
        alphabet = "0123456789" if rng.random() < 0.7 else "0123456789-/:.aZ~!"
        fields.append("".join(rng.choices(alphabet, k=size)))
    blanks = (" " * rng.randrange(2) for _ in range(2))
    return next(blanks) + (" " * rng.randrange(1, 3)).join(fields) + next(blanks)


def test_fields_numbers_and_texts_are_those_of_the_lines():
    rng = random.Random(18)
    lines = [random_line(rng) for _ in range(3000)] + ["", "cut 1"]
    text = Text("\n".join(lines).encode())
    fields = text.fields()
    fields_of_lines = [line.split() for line in lines]
    assert fields.counts.tolist() == [len(of_line) for of_line in fields_of_lines]
    flat = [word for of_line in fields_of_lines for word in of_line]
    assert text.texts(fields.starts, fields.ends).to_list() == flat
    values, are_numbers = text.numbers(fields.starts, fields.ends)
    is_number = [word.isdigit() and len(word) <= MAX_DIGITS for word in flat]
    assert are_numbers.tolist() == is_number and any(is_number) and not all(is_number)
    assert values[are_numbers].tolist() == [
        int(word) for word, is_one in zip(flat, is_number, strict=True) if is_one
    ]
    assert text.lines(np.arange(len(lines)), 5).rows() == list(enumerate(lines, 5))


def test_only_printable_ascii_is_plain():
    assert is_plain(b"a b\n") and is_plain(b"~ !")
    for character in (b"\0", b"\t", b"\r", b"\x1b", b"\x7f", b"\xc3\xa4", b"\x1c"):
        assert not is_plain(b"a" + character + b"b\n")
    assert not is_plain(b"")
