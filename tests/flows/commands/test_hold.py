import json

import pytest
from small_tables import MARK, subject


@pytest.mark.usefixtures("world")
@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves
def test_holds_are_placed_and_released_by_file(expunge, tmp_path):
    file = tmp_path / "court[red].jsonl"
    file.write_text("\n".join(json.dumps({"subject_id": subject(i)}) for i in range(20, 22)))
    placed = expunge("hold", file)
    assert "On hold from now on: court[red].jsonl protects 2 rows of 2 subjects" in placed.out
    assert MARK not in placed.out + placed.err
    assert "ALARM" not in expunge("status").out
    released = expunge("hold", file, "--release").out
    assert "Released the holds of court[red].jsonl" in released
    assert released.endswith("Next: expunge run\n")
    assert "court[red].jsonl" in expunge("hold", file, "--release").sentence


@pytest.mark.usefixtures("home")
def test_a_hold_that_protects_nobody_is_refused_unless_forced_and_status_names_it(
    expunge, tmp_path
):
    file = tmp_path / "court.csv"
    file.write_text(f"subject_id\n{subject(1)}\n")
    assert "1 of its 1 id protects nobody" in (said := expunge("hold", file)).sentence
    assert MARK not in said.sentence
    assert "1 of its 1 id protects nobody" in expunge("hold", file, "--force").out
    (alarm,) = json.loads(expunge("status", "--json").out)["alarms"]
    assert alarm.startswith("Hold court.csv protects 0 rows")


@pytest.mark.usefixtures("home")
def test_a_file_that_names_nobody_is_refused(expunge, tmp_path):
    file = tmp_path / "court.jsonl"
    file.write_text('{"person": "x"}')
    assert "subject_id" in expunge("hold", file).sentence
