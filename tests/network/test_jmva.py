"""JMT's JMVA XML: import, export, round trip."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.models import closed, delay, load_dependent, network, networks, opened, queue
from pipeline.network.files import read_model, write_model
from pipeline.network.jmva import from_jmva, to_jmva
from pipeline.network.model import ModelError
from pipeline.network.solve import solve

JMT = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<model xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="JMTmodel.xsd">
 <description><![CDATA[two classes]]></description>
 <parameters>
  <classes number="2">
   <closedclass name="C1" population="8" priority="0"/>
   <closedclass name="C2" population="1" priority="3"/>
  </classes>
  <stations number="2">
   <delaystation name="S1">
    <servicetimes><servicetime customerclass="C1">8.0</servicetime>
     <servicetime customerclass="C2">0.0</servicetime></servicetimes>
    <visits><visit customerclass="C1">1.0</visit><visit customerclass="C2">0.0</visit></visits>
   </delaystation>
   <listation name="S2" servers="1">
    <servicetimes><servicetime customerclass="C1">0.5</servicetime>
     <servicetime customerclass="C2">1.0</servicetime></servicetimes>
    <visits><visit customerclass="C1">2.0</visit><visit customerclass="C2">1.0</visit></visits>
   </listation>
  </stations>
  <ReferenceStation number="2"><Class name="C1" refStation="S1"/>
   <Class name="C2" refStation="S2"/></ReferenceStation>
 </parameters>
 <algParams><algType maxSamples="10000" name="MVA" tolerance="1.0E-7"/></algParams>
 <solutions ok="true"/>
</model>
"""


def test_a_file_of_jmt(tmp_path):
    path = tmp_path / "two.jmva"
    path.write_text(JMT)
    model = read_model(path)
    answer = solve(model)
    assert answer.throughput == pytest.approx([0.6533269282651051, 0.346673071734895], rel=1e-9)
    assert model.description == "two classes"
    assert any("priority" in w for w in answer.warnings)
    assert any("stored solutions" in w for w in answer.warnings)


EVERYTHING = network(
    [
        queue('cpu <&> "ü"', servers=2, scheduling="fcfs", service_scv=0.5),
        delay("net"),
        load_dependent("raid", 0.5, 1.8, 2.4),
        queue("disk", scheduling="lcfs-pr"),
    ],
    [opened("web?>", 0.5, arrival_scv=0.0), closed("db", 16, 0.25), closed("idle", 0)],
    [[0.1, 0.004, 0.3], [0.1, 0.0, 0.1], [0.001, 0.02, 0.0], [0.1, 0.1, 0.1]],
    [[2, 1, 3], [1, 0, 1], [0.5, 2, 0], [1, 3, 1]],
)


def test_every_field_comes_back(tmp_path):
    path = tmp_path / "all.jmva"
    losses = write_model(EVERYTHING, path)
    text = path.read_text(encoding="utf-8")
    back = read_model(path)
    assert back.stations == EVERYTHING.stations
    assert back.classes == EVERYTHING.classes
    assert back.demands == pytest.approx(EVERYTHING.demands, rel=1e-14)
    assert back.visits == pytest.approx(EVERYTHING.visits)
    for word in ("think time", "arrival_scv", "service_scv", "scheduling, fcfs", "load-dependent"):
        assert any(word in loss for loss in losses), word
    assert text.count("<?") == 2


def test_export_without_the_processing_instruction():
    """As JMT would save it: the same queues, think time as a station."""
    model = network(
        [queue("cpu", servers=2), load_dependent("raid", 0.5, 1.0)],
        [closed("db", 6, 2.5), closed("web", 3)],
        [[0.4, 0.3], [0.2, 0.1]],
    )
    text, losses = to_jmva(model)
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("<?queuevisor"))
    back = from_jmva(bare.encode())
    assert [s.name for s in back.stations] == ["think time", "cpu", "raid"]
    original, imported = solve(model), solve(back)
    assert imported.throughput == pytest.approx(original.throughput, rel=1e-12)
    assert imported.queue_lengths[1:] == pytest.approx(original.queue_lengths, rel=1e-10)
    assert any("think times" in loss for loss in losses)


@settings(max_examples=25, deadline=None)
@given(networks())
def test_round_trip(model):
    text, _ = to_jmva(model)
    back = from_jmva(text.encode())
    assert back == model
    assert back.warnings == ()


def altered(old, new):
    assert old in JMT
    return JMT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not XML"),
        ("<model>", "not XML"),
        ("<model/>", "<parameters>"),
        ("<sim/>", "<model>"),
        ("<a>" * 100, "nested too deeply"),
        (
            '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><model>&b;</model>',
            "document type",
        ),
        ('<!DOCTYPE m SYSTEM "file:///etc/passwd"><model/>', "document type"),
        (altered('population="8"', 'population="eight"'), "classes[0].population"),
        (altered('population="8"', 'population="-8"'), "classes[0].population"),
        (altered('name="C2"', 'name="C1"'), "unknown class 'C2'"),
        (altered('name="S2"', 'name="S1"'), "duplicate station name 'S1'"),
        (altered(">8.0<", ">nan<"), "stations[0].servicetimes.C1"),
        (altered(">8.0<", "><"), "stations[0].servicetimes.C1"),
        (altered('customerclass="C1"', 'customerclass="C9"'), "unknown class 'C9'"),
        (altered("<closedclass", "<crowd"), "<crowd>"),
        (
            altered('<listation name="S2" servers="1">', '<listation servers="1">'),
            "name is missing",
        ),
        (altered('servers="1"', 'servers="0"'), "servers"),
        (altered("<model", "<?queuevisor {?>\n<model"), "not JSON"),
        ('<?xml version="1.0" encoding="no-such"?><model/>', "not XML"),
    ],
)
def test_invalid_jmva_is_refused(text, message):
    with pytest.raises(ModelError) as error:
        from_jmva(text.encode())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_name_not_allowed_in_xml():
    with pytest.raises(ModelError, match="XML does not allow"):
        to_jmva(network([queue("a\x00")], [opened("x", 0.1)], [[1.0]]))


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data):
    with pytest.raises(ModelError):
        from_jmva(data)


def test_load_dependent_times_must_agree():
    text, _ = to_jmva(
        network([load_dependent("l", 1, 2)], [closed("a", 2), closed("b", 1)], [[1.0, 2.0]])
    )
    assert "1.0;0.5;0.5" in text
    assert "2.0;1.0;1.0" in text
    with pytest.raises(ModelError, match="same load dependence"):
        from_jmva(text.replace("2.0;1.0;1.0", "2.0;1.5;1.0").encode())
