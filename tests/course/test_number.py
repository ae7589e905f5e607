"""Answers as people write them."""

import pytest

from pipeline.course.number import number_of, parse_number


@pytest.mark.parametrize(
    ("text", "unit", "values"),
    [
        ("1.218 ms", "s", [0.001218]),
        ("0.001218", "s", [0.001218]),
        ("1,218 ms", "s", [0.001218, 1.218]),
        ("7 350 µs", "s", [0.00735]),
        ("7350us", "s", [0.00735]),
        ("1.2e-3", "s", [0.0012]),
        ("2 min", "s", [120.0]),
        ("52.9 %", "1", [0.529]),
        ("52,9%", "1", [0.529]),
        ("14,6", "1/s", [14.6]),
        ("14.6 /s", "1/s", [14.6]),
        ("876/min", "1/s", [14.6]),
        ("22,487,040", "B", [22487040.0]),
        ("22'487'040 bytes", "B", [22487040.0]),
        ("21.5 MiB", "B", [22544384.0]),
        ("−4.41", "s", [-4.41]),
        (".5", "1", [0.5]),
        ("1,765", "1", [1.765, 1765.0]),
        ("", "s", []),
        ("fast", "s", []),
        ("1.2.3", "s", []),
        ("5 %", "s", []),
        ("1e999", "s", []),
        ("0e400", "s", [0.0]),
        ("1e" + "9" * 5000, "s", []),
        ("4 threads", "1", []),
    ],
)
def test_an_answer_is_read_in_the_unit_of_its_question(text, unit, values):
    assert [number.value for number in parse_number(text, unit)] == pytest.approx(values, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit", "resolution"),
    [
        ("1.218 ms", "s", 5e-7),
        ("14,6", "1/s", 0.05),
        ("7350", "s", 0.5),
        ("52.9 %", "1", 5e-4),
        ("1.2e3", "1", 50.0),
    ],
)
def test_the_resolution_is_half_a_unit_of_the_last_digit(text, unit, resolution):
    assert parse_number(text, unit)[0].resolution == pytest.approx(resolution)


def test_a_computed_number_has_the_resolution_of_its_shortest_text():
    assert number_of(0.00735).resolution == pytest.approx(5e-6)
    assert number_of(600.0).resolution == 0.5
