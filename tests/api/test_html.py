"""What Jupyter shows of a study and a run; names from files are escaped."""

import json
import shutil

import pytest

import pipeline as qv
from pipeline.units import format_short


@pytest.fixture
def study(known, tmp_path) -> qv.StudyData:
    shutil.copytree(known.run.path.parents[1], tmp_path / "known")
    path = tmp_path / "known" / "study.json"
    manifest = json.loads(path.read_text())
    manifest["title"] = "<script>alert(1)</script> & more"
    manifest["virtual_servers"][known.run.run]["title"] = "<b>shop</b>"
    path.write_text(json.dumps(manifest))
    return qv.open_study(tmp_path / "known", processed=known.processed)


def test_a_study_shows_its_title_and_the_number_of_its_runs(known, study):
    html = study._repr_html_()
    kind = "closed" if known.run.run == "db" else "open"
    assert f"<td>first</td><td>{kind}</td><td>1</td><td>0</td>" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more (known)" in html
    assert "<script" not in html


def test_a_run_shows_its_load_and_what_the_client_measured(known, study):
    run = study[f"first/{known.run.run}"]
    html = run._repr_html_()
    assert "&lt;b&gt;shop&lt;/b&gt;" in html and "<b>" not in html
    name = known.run.run
    response_s, rate = (qv.value_of(run.ledger, name, q) for q in ("R_client", "X_client"))
    assert f"<td>{format_short(1e3 * response_s)} ms</td><td>{format_short(rate)} /s</td>" in html
    assert "model_results" not in vars(run) and html.endswith("<td>–</td></tr></tbody></table>")
    usable = run.model_results["usable"][0]
    assert f"<td>{usable}</td></tr>" in run._repr_html_()


def test_a_run_without_its_client_s_log_has_no_numbers(known, study):
    log = known.run.client_log(known.run.run)
    (study.study.path / "first" / known.run.run / log.name).unlink()
    fresh = qv.open_study(study.study.path, processed=study.study.path.parent / "processed")
    assert fresh[f"first/{known.run.run}"]._repr_html_().count("<td>–</td>") == 3
