import json

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from factories import dataset, enrollment
from small_tables import MARK, subject

from tasks.approval.settlements import settle
from tasks.intake import batches
from tasks.journal.reading import read_batch, record_enrollment
from tasks.subjects import near_matches, open_batches

ODD = subject(30).upper()


class Lake:
    """Members by address, and what they asked for."""

    def __init__(self, services, folder):
        self.services, self.place = services, (folder / "gym").as_uri()
        self.write("JDoe@x.org", "jdoe@x.org", "jdoe@x.org", "0042", "ann@x.org", "bob@x.org")
        self.enroll("gym", 0)

    def write(self, *ids, **options):
        options = {"mode": "append", **options}
        write_deltalake(self.place, pa.table({"subject_id": list(ids)}), **options)

    def enroll(self, model, version):
        known = enrollment(
            model=model,
            dataset=dataset(uri=self.place),
            dataset_version=version,
            holdout=self.place,
        )
        record_enrollment(self.services.journal, known)

    def ask(self, **subjects):
        lines = [
            {"request_id": name, "subject_id": who, "received_at": "2026-11-20T03:04:05Z"}
            for name, who in subjects.items()
        ]
        text = "\n".join(map(json.dumps, lines))
        self.services.store.put("requests/incoming/r.jsonl", text.encode())
        (batch,) = open_batches.open_batches(self.services)
        batches.validate(self.services, batch)
        return batch

    def found(self, batch):
        """Rows and subjects of each request that was set aside."""
        names = {d.record_id: d.request_id for d in batches.dispositions(self.services, batch)}
        near = read_batch(self.services.journal, batch).near
        return {names[record]: (one.rows, one.subjects) for record, (_, one) in near.items()}

    def statuses(self):
        return {e.facts.request_id: e.status for _, e in self.services.journal.requests()}


@pytest.fixture
def lake(services, tmp_path):
    return Lake(services, tmp_path)


def test_requests_that_nearly_name_somebody_are_set_aside_and_hold_up_no_other(lake):
    batch = lake.ask(a="JDOE@x.org", b="jdoe@x.org", c="42", d="ann@x.org", e="nobody@x.org")
    assert near_matches.set_aside(lake.services, batch) == 3
    assert lake.found(batch) == {"a": (3, 2), "b": (1, 1), "c": (1, 1)}
    assert {d.request_id for d in batches.accepted(lake.services, batch)} == {"d", "e"}
    assert lake.statuses() == dict.fromkeys("abc", "unclear") | dict.fromkeys("de", "accepted")
    told = {e.facts.request_id: e.facts.reason for _, e in lake.services.journal.requests()}
    assert told["a"] == "3 rows of 2 subjects have nearly this id; a person says who is meant"


def test_a_second_look_at_the_same_tables_changes_nothing(lake, monkeypatch):
    batch = lake.ask(a="JDOE@x.org")
    assert near_matches.set_aside(lake.services, batch) == 1
    before = read_batch(lake.services.journal, batch).event_count
    monkeypatch.setattr(near_matches, "rows_by_id", lambda *_: pytest.fail("read again"))
    assert near_matches.set_aside(lake.services, batch) == 0
    assert read_batch(lake.services.journal, batch).event_count == before


def test_rows_that_are_written_while_the_batch_waits_are_looked_at_too(lake):
    batch = lake.ask(a="bob@x.org", b="carl@x.org")
    assert near_matches.set_aside(lake.services, batch) == 0
    lake.write("Bob@x.org", "<carl@x.org>")
    assert near_matches.set_aside(lake.services, batch) == 2
    assert lake.found(batch) == {"a": (1, 1), "b": (1, 1)}


def test_a_version_that_a_model_learned_from_is_looked_into(lake):
    lake.write("ann@x.org", mode="overwrite")
    batch = lake.ask(a="BOB@x.org", b="ann@x.org")
    assert near_matches.set_aside(lake.services, batch) == 1
    assert lake.found(batch) == {"a": (1, 1)}
    assert read_batch(lake.services.journal, batch).sought.versions == {
        lake.place: (DeltaTable(lake.place).version(), 0)
    }


def test_a_settled_request_means_exactly_what_it_says_from_then_on(lake):
    first = lake.ask(a="JDOE@x.org", b="42", c="ann@x.org")
    near_matches.set_aside(lake.services, first)
    settle(lake.services, "a", "exact", name="Ada", reason="She said so.")
    settle(lake.services, "b", "withdraw", name="Ada", reason="It was 0042.")
    assert lake.statuses() == {"a": "accepted", "b": "withdrawn", "c": "accepted"}
    second = next(b for b in open_batches.open_batches(lake.services) if b != first)
    batches.validate(lake.services, second)
    assert near_matches.set_aside(lake.services, second) == 0
    assert [d.request_id for d in batches.accepted(lake.services, second)] == ["a"]
    (record,) = read_batch(lake.services.journal, second).sought.exact
    assert lake.services.journal.latest([record])[record].facts.request_id == "a"
    # The batch that it came from does not set it aside a second time.
    near_matches.set_aside(lake.services, first)
    assert lake.statuses()["a"] == "accepted"


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves
class TestInARun:
    def ask(self, world, name, who):
        line = {"request_id": name, "subject_id": who, "received_at": "2026-11-20T03:04:05Z"}
        world.store.put(f"requests/incoming/{name}.jsonl", json.dumps(line).encode())

    def test_nobody_is_told_that_there_are_no_rows_before_a_person_said_so(self, world):
        self.ask(world, "N-1", ODD)
        world.submit("N", [31])
        world.run()
        assert {name: world.requests()[name].status for name in ("N-1", "N-31")} == {
            "N-1": "unclear",
            "N-31": "erased",
        }
        assert {30, 31} & world.there() == {30}
        assert "certificates/N-1.json" not in {i.key for i in world.store.list_objects("")}
        before = world.effects()
        world.run()
        assert world.effects() == before
        settle(world.services, "N-1", "exact", name="Ada", reason="She meant another one.")
        world.run()
        assert world.requests()["N-1"].status == "not_found"
        found = world.certificate("N-1")
        assert (
            found["spelling"].items()
            >= {
                "decision": "exactly this id is meant",
                "decided_by": "Ada",
                "reason": "She meant another one.",
                "rows_seen": 1,
                "subjects_seen": 1,
            }.items()
        )
        assert 30 in world.there()
        whole = [e.facts for _, e in world.services.journal.requests()]
        assert MARK not in repr(whole)

    def test_the_right_id_comes_as_a_new_request(self, world):
        self.ask(world, "N-1", f"<{subject(30)}>")
        world.run()
        settle(world.services, "N-1", "withdraw", name="Ada", reason="Typed wrong.")
        self.ask(world, "N-2", subject(30))
        world.run()
        assert world.requests()["N-1"].status == "withdrawn"
        assert world.requests()["N-2"].status == "erased"
        assert "spelling" not in world.certificate("N-2")
        assert 30 not in world.there()

    def test_the_right_id_may_come_under_the_number_that_was_withdrawn(self, world):
        self.ask(world, "N-1", subject(30).upper())
        world.run()
        settle(world.services, "N-1", "withdraw", name="Ada", reason="Typed wrong.")
        lines = [
            {"request_id": "N-1", "subject_id": who, "received_at": "2026-11-20T03:04:05Z"}
            for who in (subject(30).upper(), subject(30), subject(31))
        ]
        # The mended file, in which the wrong row still stands, and somebody else's.
        world.store.put("requests/incoming/n.jsonl", "\n".join(map(json.dumps, lines)).encode())
        world.run()
        heads = list(world.services.journal.requests())
        assert sorted(e.status for _, e in heads if e.facts.request_id == "N-1") == [
            "duplicate",
            "erased",
            "quarantined",
            "withdrawn",
        ]
        assert {30, 31} & world.there() == {31}
        assert world.certificate("N-1")["outcome"] == "erased"
        self.ask(world, "N-1", subject(32))
        world.run()
        assert 32 in world.there()  # one that was answered keeps its number

    def test_who_is_back_under_the_same_id_is_erased_whoever_else_is_spelled_so(self, world):
        world.submit("N", [30])
        world.run()
        world.deliver_again(30)
        table = DeltaTable(world.table).to_pyarrow_table()
        other = table.slice(0, 1).set_column(
            table.column_names.index("subject_id"), "subject_id", [[ODD]]
        )
        write_deltalake(world.table, other, mode="append")
        assert world.replay()[1] == 1
        world.run()
        ids = DeltaTable(world.table).to_pyarrow_table()["subject_id"].to_pylist()
        assert (ids.count(ODD), ids.count(subject(30))) == (1, 0)

    def test_an_erasure_by_exactly_one_id_says_that_others_nearly_of_it_are_left(self, world):
        table = DeltaTable(world.table).to_pyarrow_table()
        place = table.column_names.index("subject_id")
        other = table.slice(0, 1).set_column(place, "subject_id", [[ODD]])
        write_deltalake(world.table, other, mode="append")
        world.submit("N", [30])
        world.run()
        assert world.requests()["N-30"].status == "unclear"
        settle(world.services, "N-30", "exact", name="Ada", reason="They are two people.")
        world.run()
        assert world.requests()["N-30"].status == "erased"
        found = world.certificate("N-30")
        assert found["spelling"]["decided_by"] == "Ada"
        assert (found["spelling"]["rows_seen"], found["spelling"]["subjects_seen"]) == (1, 1)
        assert len(found["spelling"]["seen_in"][world.table]) >= 1
        (said,) = (one for one in found["not_proven"] if "rows of nearly the same id" in one)
        assert "what became of them since is not said" in said
        ids = DeltaTable(world.table).to_pyarrow_table()["subject_id"].to_pylist()
        assert (ids.count(ODD), ids.count(subject(30))) == (1, 0)
