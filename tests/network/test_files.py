"""Reading and writing model files."""

import pytest

from network.test_model import GOOD
from pipeline.network.files import parse_model, read_model, write_model
from pipeline.network.model import ModelError, Network

TEXTS = [
    (b"", "not JSON: line 1"),
    (b"{", "not JSON: line 1"),
    (b"\xff\xfe{}", "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a": 1, "a": 2}', 'duplicate key "a"'),
    (b'{"stations": NaN}', "NaN is not a valid number"),
    (b'{"stations": -Infinity}', "-Infinity is not a valid number"),
    (b'{"stations": ' + b"9" * 10_000 + b"}", "not JSON"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=range(len(TEXTS)))
def test_invalid_json_is_refused(text, message):
    with pytest.raises(ModelError) as error:
        parse_model(text)
    assert message in str(error.value)


def test_files(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(tmp_path / "none.json")
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(tmp_path)
    path = tmp_path / "model.json"
    network = Network.from_dict(GOOD)
    assert write_model(network, path) == []
    assert read_model(path) == network
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_model(path) == network
    with pytest.raises(ModelError, match="suffix"):
        write_model(network, tmp_path / "model.txt")
    with pytest.raises(ModelError, match="cannot be written"):
        write_model(network, tmp_path / "no" / "model.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json"]


def test_a_text_that_cannot_be_written_is_refused():
    with pytest.raises(ModelError, match="description"):
        Network.from_dict({**GOOD, "description": "\ud800"})
    classes = [{**GOOD["classes"][0], "name": "\ud800"}]
    with pytest.raises(ModelError, match=r"classes\[0\].name"):
        Network.from_dict({**GOOD, "classes": classes})
