import logging
import shutil

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from factories import dataset, enrollment
from small_tables import subject

from tasks.intake import legal_holds
from tasks.journal.reading import record_enrollment
from tasks.subjects import protection
from unlearning.errors import DataError, SettingsError


class Lake:
    """Customers with numbers and members with addresses, both enrolled."""

    def __init__(self, services, folder):
        self.services, self.folder = services, folder
        self.table("crm", "customer", pa.array([17, 17, 18, 19]))
        self.table("gym", "member", pa.array(["JDoe@x.org", "jdoe@x.org", "17", "ann@x.org"]))

    def table(self, name, kind, ids):
        place = (self.folder / name).as_uri()
        write_deltalake(place, pa.table({"subject_id": ids}))
        spec = dataset(uri=place, subject_kind=kind)
        record_enrollment(
            self.services.journal, enrollment(model=name, dataset=spec, holdout=place)
        )

    def place(self, text, name="court.csv", **options):
        (file := self.folder / name).write_text(text)
        return protection.place(self.services, file, **options)

    def in_force(self):
        return set(legal_holds.in_force(self.services))


@pytest.fixture
def lake(services, tmp_path):
    return Lake(services, tmp_path)


def counts(found):
    return found.rows, found.subjects, found.ids, found.idle


def test_a_hold_says_how_many_rows_of_how_many_subjects_it_protects(lake):
    found = lake.place("subject_id\n17\n18\n")
    assert counts(found) == (4, 3, 2, 0)
    assert found.sentence == "court.csv protects 4 rows of 3 subjects"
    assert lake.in_force() == {"court.csv"}


@pytest.mark.parametrize("spelling", ["00017", "17.0", "+17", "1.7E+01", '"=""17"""'])
def test_it_protects_whoever_has_the_id_in_another_spelling(lake, spelling):
    assert counts(lake.place(f"subject_id\n{spelling}\n")) == (3, 2, 1, 0)


def test_of_texts_it_protects_every_spelling_that_stands_in_the_table(lake):
    assert counts(lake.place("subject_id\nmailto:JDOE@X.ORG\n")) == (2, 2, 1, 0)


def test_a_hold_on_one_kind_counts_the_rows_of_that_kind(lake):
    assert counts(lake.place("subject_id,subject_kind\n17,member\n")) == (1, 1, 1, 0)


@pytest.mark.parametrize("text", ["nobody", "17\nnobody", "1017"])
def test_an_id_that_protects_nobody_is_refused_without_being_told(lake, text):
    with pytest.raises(SettingsError, match=r"1 of its \d ids? protects nobody") as refused:
        lake.place(f"subject_id\n{text}\n")
    assert "--force" in str(refused.value)
    assert "nobody\n" not in str(refused.value)
    assert "1017" not in str(refused.value)
    assert lake.in_force() == set()


def test_a_kind_that_no_table_has_protects_nobody(lake):
    with pytest.raises(SettingsError, match="1 of its 1 id protects nobody"):
        lake.place("subject_id,subject_kind\n17,supplier\n")


def test_before_any_model_is_enrolled_a_hold_must_be_forced(services, tmp_path):
    (file := tmp_path / "court.csv").write_text("subject_id\n17\n")
    with pytest.raises(SettingsError, match="--force"):
        protection.place(services, file)
    assert counts(protection.place(services, file, force=True)) == (0, 0, 1, 1)


def test_a_forced_hold_is_named_until_somebody_has_the_id(lake, caplog):
    lake.place("subject_id\n17\nnobody-4711\n", force=True)
    lake.place("subject_id\n18\n", name="good.csv")
    (idle,) = protection.idle_holds(lake.services)
    assert (idle.name, idle.idle, idle.ids) == ("court.csv", 1, 2)
    with caplog.at_level(logging.ERROR, "expunge"):
        protection.warn_of_idle(lake.services)
    assert "nobody is protected by 1 id in 1 hold file in force" in caplog.text
    assert "4711" not in caplog.text + idle.sentence
    assert "court" not in caplog.text
    lake.table("shop", "customer", pa.array(["Nobody-4711"]))
    assert protection.idle_holds(lake.services) == []


def test_a_table_that_is_away_hinders_no_hold_and_accuses_none(lake):
    shutil.rmtree(lake.folder / "crm")
    found = lake.place("subject_id\n18\n")
    assert (found.unseen, found.idle) == (1, 1)
    assert "1 table could not be looked into" in found.sentence
    assert lake.in_force() == {"court.csv"}
    assert protection.idle_holds(lake.services) == []


def test_without_holds_no_table_is_read(lake, monkeypatch):
    monkeypatch.setattr(protection, "open_table", lambda *_: pytest.fail("read"))
    assert protection.idle_holds(lake.services) == []


def test_a_hold_that_nobody_can_read_is_told(lake):
    lake.services.store.put("requests/holds/court.csv", b"who\n17\n")
    with pytest.raises(DataError, match="hold file"):
        protection.idle_holds(lake.services)


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves
@pytest.mark.parametrize("spelling", [subject(30).upper(), f"<{subject(30)}>", f"{subject(30)} "])
def test_a_person_who_is_held_in_another_spelling_is_not_erased(world, spelling):
    world.store.put("requests/holds/court.csv", f"subject_id\n{spelling.strip()}\n".encode())
    world.submit("H", [30, 31])
    world.run()
    assert {30, 31} & world.there() == {30}
    assert world.requests()["H-30"].status == "on_hold"
