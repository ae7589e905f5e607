"""Slices of growing logs."""

import io

import log_slice
import pytest


def cut(path, mark, capsys):

    out = io.BytesIO()
    return log_slice.cut(str(path), mark[0], mark[1], out), out.getvalue()


def mark(path):
    s = path.stat()
    return s.st_ino, s.st_size


def test_slice_has_complete_lines(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\nhalf")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b" line\nnew 1\nnew 2\nunfinished")
    assert cut(log, at, capsys) == (0, b"new 1\nnew 2\n")


def test_slice_from_the_beginning_of_a_line(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\n")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b"new 1\n")
    assert cut(log, at, capsys) == (0, b"new 1\n")


def test_slice_follows_rotation(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\n")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b"new 1\n")
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(b"new 2\n")
    assert cut(log, at, capsys) == (0, b"new 1\nnew 2\n")


def test_truncated_log_has_exit_code_3(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old old old\n")
    at = mark(log)
    log.write_bytes(b"new\n")
    assert cut(log, at, capsys) == (3, b"new\n")


def test_log_that_did_not_exist_at_the_mark(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"first\n")
    assert cut(log, (0, 0), capsys) == (0, b"first\n")


def test_log_that_never_existed_is_named(tmp_path, capsys):
    log = tmp_path / "a.log"
    assert cut(log, (0, 0), capsys) == (3, b"")
    assert f"{log}: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        (
            "statements",
            b"\t\t    2 Query\tSELECT a1 FROM t WHERE id=? AND s = ?\n\t\t    2 Query\tCOMMIT\n",
        ),
        (
            "whole",
            b"\t\t    2 Query\tSELECT a1 FROM t WHERE id=7 AND s = 'x\ny'\n\t\t    2 Query\tCOMMIT\n",
        ),
    ],
)
def test_statements_are_cut_without_their_values(tmp_path, form, lines, monkeypatch):
    log = tmp_path / "general.log"
    log.write_bytes(
        b"\t\t    2 Query\tSELECT a1 FROM t WHERE id=7 AND s = 'x\ny'\n\t\t    2 Query\tCOMMIT\n"
    )
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out))
    assert log_slice.main(["cut", str(log), "0", "0", form]) == 0
    assert out.getvalue() == lines


def test_long_line_is_cut(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(log_slice, "MAX_LINE_BYTES", 8)
    log = tmp_path / "a.log"
    log.write_bytes(b"12345678901234567890\nnext\n1234567890")
    assert cut(log, (0, 0), capsys) == (0, b"12345678\nnext\n")


def test_values_of_queries_are_cut_and_secrets_always(tmp_path, capsys):
    out = io.BytesIO()
    log_slice.FormedLines(out, "queries").write(
        b'"GET /?a=1&token=x HTTP/1.1" 200\n\xff http://me:x@h\n'
    )
    log_slice.FormedLines(out, "whole").write(b"GET /?a=1&token=x\n")
    assert out.getvalue() == (
        b'"GET /?a=?&token=[redacted] HTTP/1.1" 200\n\xff http://me:[redacted]@h\nGET /?a=1&token=[redacted]\n'
    )
