"""``queuevisor factors``, as people and programs call it."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from pipeline.cli.factors import app
from pipeline.errors import Error

RUN = CliRunner()


def call(*arguments):
    return RUN.invoke(app, [str(each) for each in arguments])


def effects_of(path, response, *options):
    result = call("effects", path, "--response", response, "--format", "json", *options)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    return document, {each["name"]: each for each in document["effects"]}


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return path

    return write


def test_published_factorial_without_options(root):
    path = root / "data/raw/published/touloupas_factorial.csv"
    document, effects = effects_of(path, "X_per_s")
    assert {name: round(each["estimate"]) for name, each in effects.items()} == {
        "servers": -931, "replication": -339, "writes": -703, "servers:replication": -31,
        "servers:writes": 81, "replication:writes": -87, "servers:replication:writes": -242,
    }  # fmt: skip
    assert [round(100 * each["share"], 2) for each in document["effects"]] == [
        52.29, 6.95, 29.83, 0.06, 0.40, 0.46, 3.54,
    ]  # fmt: skip
    assert all(each["low"] < each["estimate"] < each["high"] for each in document["effects"])
    assert round(document["error"]["standard_deviation"]) == 401


JAIN = "I,A,B,AB,y1,y2,y3\n1,-1,-1,1,15,18,12\n1,1,-1,-1,45,48,51\n1,-1,1,-1,25,28,19\n1,1,1,1,75,75,81\n"


@pytest.mark.parametrize(
    "responses", [["y"], ["y1,y2,y3"], ["y1", "--response", "y2", "--response", "y3"]]
)
def test_table_of_signs_with_replications_in_columns(write, responses):
    document, effects = effects_of(write(JAIN), *responses)
    assert {name: each["estimate"] for name, each in effects.items()} == pytest.approx(
        {"A": 21.5, "B": 9.5, "A:B": 5}
    )
    assert document["mean"]["estimate"] == pytest.approx(41)
    assert document["rows"] == 12


@pytest.mark.parametrize(
    "text",
    [
        "Memory;Cache;MIPS\n4 MB;1K;15 18 12\n16 MB;1K;45 48 51\n4 MB;2K;25 28 19\n16 MB;2K;75 75 81\n",
        '\ufeffMemory,Cache,MIPS\n-,-,"(15, 18, 12)"\n+,-,"(45, 48, 51)"\n-,+,"(25, 28, 19)"\n+,+,"(75, 75, 81)"\n',
        "Memory\tCache\tMips\nlow\toff\t15 18 12\nhigh\toff\t45 48 51\nlow\ton\t25 28 19\nhigh\ton\t75 75 81\n",
    ],
    ids=["units", "signs", "names"],
)
def test_replications_in_a_field_and_levels_as_text(write, text):
    _, effects = effects_of(write(text), "mips")
    assert {name: each["estimate"] for name, each in effects.items()} == pytest.approx(
        {"Memory": 21.5, "Cache": 9.5, "Memory:Cache": 5}
    )


def test_decimal_commas_and_the_low_level(write):
    path = write("disk;vCPUs;R_ms\nide;1;10,5\nvirtio;1;5,5\nide;2;8,5\nvirtio;2;3,5\n")
    _, effects = effects_of(path, "R_ms")
    assert effects["disk"]["estimate"] == pytest.approx(-2.5)
    _, effects = effects_of(path, "R_ms", "--low", "disk=virtio")
    assert effects["disk"]["estimate"] == pytest.approx(2.5)


def test_columns_that_are_no_factors(write):
    rows = "".join(f"{n},{1 + n % 2},{n % 2},{n // 2 % 2},{3 * (n % 2) + n}\n" for n in range(8))
    document, effects = effects_of(write(f"Run,Replicate,a,b,y\n{rows}"), "y")
    assert [each["name"] for each in document["factors"]] == ["a", "b"]
    _, effects = effects_of(write(f"Run,Block,a,b,y\n{rows}"), "y", "--block", "")
    assert list(effects) == ["a", "b", "a:b"]


def test_centre_points_are_left_out(write):
    path = write("a,b,y\n-1,-1,39\n1,-1,41\n-1,1,40\n1,1,42\n0,0,40.3\n0,0,40.5\n")
    document, effects = effects_of(path, "y")
    assert document["rows"] == 4 and effects["a"]["estimate"] == pytest.approx(1)
    assert any("2 centre points" in note for note in document["notes"])


def test_csv_and_table(write):
    result = call("effects", write(JAIN), "--response", "y", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["effect"] for row in rows] == ["A", "B", "A:B"]
    assert float(rows[0]["estimate"]) == pytest.approx(21.5)
    result = call("effects", write(JAIN), "--response", "y", "--log")
    assert result.exit_code == 0
    for word in ("ratio", "beyond noise", "recommended model"):
        assert word in result.stdout


def test_charts_are_written(write, tmp_path):
    result = call("effects", write(JAIN), "--response", "y", "--plot", tmp_path / "charts")
    assert result.exit_code == 0
    names = sorted(path.name for path in (tmp_path / "charts").iterdir())
    assert names == ["effects.svg", "half-normal.svg", "interaction-A-B.svg", "variation.svg"]
    assert all((tmp_path / "charts" / name).read_text().startswith("<svg") for name in names)


@pytest.mark.parametrize(
    ("text", "response", "message"),
    [
        ("a,b,y\n1,1,5\n1,2,abc\n2,1,7\n2,2,8\n", "y", "table.csv:3: y: 'abc' is no number"),
        ("a,b,y\n1,1,5\n2,2,6\n", "z", "no column z; columns: a, b, y"),
        ("a,y\n1,5\n1,6\n", "y", "no column with two distinct values"),
        ("", "y", "empty"),
        ("a,b,y\n1,1\n", "y", "table.csv:2"),
    ],
)
def test_errors_name_file_line_and_column(write, text, response, message):
    result = call("effects", write(text), "--response", response)
    assert isinstance(result.exception, Error) and message in str(result.exception)


def test_a_design_is_read_by_effects(tmp_path):
    path = tmp_path / "runs.csv"
    result = call(
        "design", "--factor", "threads=2,16", "--factor", "cache=none,writeback", "--factor", "vcpus=1,4",
        "--factor", "disk=ide,virtio", "--fraction", 1, "--replicates", 2, "--blocks", 2, "-o", path,
    )  # fmt: skip
    assert result.exit_code == 0 and "resolution IV" in result.stderr
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 16 and list(rows[0])[:4] == ["order", "block", "replicate", "cell"]
    for row in rows:
        row["y"] = 3 * (row["cache"] == "writeback") + 0.01 * int(row["order"])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    document, effects = effects_of(path, "y")
    assert effects["cache"]["difference"] == pytest.approx(3, abs=0.1)
    assert effects["threads:cache"]["aliases"] == ["vcpus:disk"]
    assert document["share_blocks"] is not None


def test_a_generator_of_letters(tmp_path):
    factors = [each for name in "ABCDE" for each in ("--factor", name)]
    result = call("design", *factors, "--generator", "E=ABCD", "--format", "json")
    document = json.loads(result.stdout)
    assert (document["resolution"], len(document["runs"])) == (5, 16)
    result = call("design", *factors, "--generator", "E=-A:B:C:D", "--format", "json")
    assert json.loads(result.stdout)["defining_relation"] == ["-A:B:C:D:E"]


@pytest.mark.parametrize(
    "options",
    [
        ["--factor", "A=1"],
        ["--factor", "A", "--factor", "A"],
        ["--factor", "A", "--generator", "B"],
    ],
)
def test_a_wrong_call_is_code_2(options):
    assert call("design", *options).exit_code == 2
