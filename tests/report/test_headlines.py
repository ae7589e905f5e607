"""A page's few numbers, told by what they are of."""

import re

from pipeline.report.show import group_by_subject, key_figures_html

NUMBERS = {
    "web server: model believed": "yes",
    "database server: model believed": "with caveats",
    "web server: throughput": "5 /s",
    "web server: response time": "98.4 (83.8 to 118) ms",
    "busiest station": "host: 1 CPU for every QEMU, 98.4 %",
}


def test_numbers_stand_under_what_they_are_of_and_the_page_s_own_last():
    assert group_by_subject(NUMBERS) == [
        (
            "web server",
            [
                ("model believed", "yes"),
                ("throughput", "5 /s"),
                ("response time", "98.4 (83.8 to 118) ms"),
            ],
        ),
        ("database server", [("model believed", "with caveats")]),
        ("", [("busiest station", "host: 1 CPU for every QEMU, 98.4 %")]),
    ]
    assert group_by_subject({}) == []


def test_a_strip_shows_every_number_once_and_gives_a_long_one_room():
    made = key_figures_html(NUMBERS)
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", made) == [
        (name, value) for _, lines in group_by_subject(NUMBERS) for name, value in lines
    ]
    assert re.findall(r'<div class="longest"><dt>(.*?)</dt>', made) == ["busiest station"]
    assert re.findall(r'<div class="long"><dt>(.*?)</dt>', made) == ["response time"]
    assert re.findall(r"<p>(.*?)</p>", made) == ["web server", "database server"]


def test_names_from_outside_cannot_become_markup():
    made = key_figures_html({"<script>: <b>": "<i>"})
    assert not re.search(r"<(script|b|i)>", made)
