import json

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from factories import dataset, enrollment

from tasks.intake import batches
from tasks.journal.reading import record_enrollment
from tasks.subjects import enrolled_ids, near_matches, open_batches
from tasks.subjects.enrolled_ids import EnrolledIds

EXPORTED = ["1000.0", "1.001E+03", "+1002", "1,003", "'1004", '="1005"', "0017", "1.23e2"]
NO_NUMBER = ["ABC", "1" * 20, "17a", "1.5", "0x11"]
NOTHING = ["NULL", "N/A", "nan", "-", "#REF!", "None", "undefined"]


class Lake:
    """Customers with numbers, members with texts, and employees with both."""

    def __init__(self, services, folder):
        self.services, self.folder = services, folder
        self.table("crm", "customer", pa.array([17, 1000]))
        self.table("gym", "member", pa.array(["17", "N/A"]))
        self.table("staff", "employee", pa.array([17], pa.int16()))
        self.table("staff-old", "employee", pa.array(["0017"]))

    def table(self, name, kind, ids):
        place = (self.folder / name).as_uri()
        write_deltalake(place, pa.table({"subject_id": ids}))
        spec = dataset(uri=place, subject_kind=kind)
        record_enrollment(
            self.services.journal, enrollment(model=name, dataset=spec, holdout=place)
        )

    def judge(self, name, text):
        """Outcome and reason of each subject in a file."""
        self.services.store.put(f"requests/incoming/{name}", text.encode())
        (batch,) = open_batches.open_batches(self.services)
        batches.validate(self.services, batch, EnrolledIds(self.services))
        return [(d.outcome, d.reason) for d in batches.dispositions(self.services, batch)]


@pytest.fixture
def lake(services, tmp_path):
    return Lake(services, tmp_path)


def jsonl(kind, *subjects):
    return "\n".join(
        json.dumps(
            {
                "request_id": f"R-{n}",
                "subject_id": who,
                "subject_kind": kind,
                "received_at": "2026-11-20T03:04:05Z",
            }
        )
        for n, who in enumerate(subjects)
    )


def csv(kind, *subjects):
    quoted = ['"' + who.replace('"', '""') + '"' for who in subjects]
    lines = [f"R-{n},{who},{kind},2026-11-20T03:04:05Z" for n, who in enumerate(quoted)]
    return "\n".join(["request_id,subject_id,subject_kind,received_at", *lines]) + "\n"


@pytest.mark.parametrize(("name", "write"), [("r.csv", csv), ("r.jsonl", jsonl)])
def test_what_no_column_of_whole_numbers_can_hold_is_quarantined_in_every_format(lake, name, write):
    judged = lake.judge(name, write("customer", *NO_NUMBER, *NOTHING, "1000", "99"))
    assert {outcome for outcome, _ in judged[:-2]} == {"quarantined"}
    assert all("a whole number" in reason for _, reason in judged[:-2])
    assert judged[-2:] == [("accepted", "valid")] * 2


@pytest.mark.parametrize(("name", "write"), [("r.csv", csv), ("r.jsonl", jsonl)])
def test_a_whole_number_in_another_spelling_is_unclear_as_a_text_is(lake, name, write):
    judged = lake.judge(name, write("customer", *EXPORTED, "0099"))
    assert judged == [("accepted", "valid")] * 9
    (batch,) = open_batches.open_batches(lake.services)
    near_matches.set_aside(lake.services, batch)
    stands = {e.facts.request_id: e.status for _, e in lake.services.journal.requests()}
    assert [one for one, status in sorted(stands.items()) if status == "unclear"] == ["R-0", "R-6"]
    assert len(stands) == 9


def test_a_number_that_json_writes_with_decimals_is_quarantined_too(lake):
    ((outcome, _),) = lake.judge("r.jsonl", jsonl("customer", 1000.0))
    assert outcome == "quarantined"


@pytest.mark.parametrize(("name", "write"), [("r.csv", csv), ("r.jsonl", jsonl)])
def test_words_for_nothing_are_no_ids_of_texts_unless_a_table_has_them(lake, name, write):
    judged = lake.judge(name, write("member", *NOTHING, "0017", "1000.0"))
    told = dict(zip([*NOTHING, "0017", "1000.0"], judged, strict=True))
    assert told.pop("N/A") == told.pop("0017") == told.pop("1000.0") == ("accepted", "valid")
    assert {outcome for outcome, _ in told.values()} == {"quarantined"}
    assert all("an empty cell" in reason for _, reason in told.values())


def test_of_a_kind_with_both_types_an_id_need_fit_one(lake):
    known = EnrolledIds(lake.services)
    assert known.fits("employee", "0017")
    assert known.fits("employee", "70000")
    lake.table("small", "robot", pa.array([1], pa.int8()))
    known = EnrolledIds(lake.services)
    assert [known.fits("robot", one) for one in ("127", "128", "-128", "007")] == [
        True,
        False,
        True,
        True,
    ]


def test_a_word_for_nothing_is_looked_for_once(lake, monkeypatch):
    known = EnrolledIds(lake.services)
    assert known.names_somebody("member", "N/A")
    monkeypatch.setattr(enrolled_ids, "count_by_subject", lambda *_: pytest.fail("read again"))
    assert known.names_somebody("member", "N/A")
    assert known.names_somebody("member", "somebody")
