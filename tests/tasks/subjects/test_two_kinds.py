"""Customers and employees have the same ids: what is asked for one leaves the other alone."""

import json
import shutil
from dataclasses import replace

import pytest
from deltalake import DeltaTable
from small_tables import MARK, subject, write_tables

from tasks.approval.settlements import settle
from tasks.attempts.unenrolling import unenroll
from tasks.certificates.traces import trace_subject
from tasks.enrolling import enroll, train
from tasks.erasure.batch_rows import BatchRows
from tasks.intake.batches import pseudonyms
from tasks.journal.events.enrollment import DatasetSpec
from tasks.subjects import open_batches, suppression_list
from tasks.subjects.tied_tables import close_table
from unlearning.errors import SettingsError

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves


class TwoKinds:
    """The world of the customers, in it employees of the same ids."""

    def __init__(self, world, folder):
        self.world, self.services = world, world.services
        self.staff, holdout = (f"file://{p}" for p in write_tables(folder, train=120, holdout=100))
        spec = DatasetSpec(self.staff, ("features",), "label", "subject_id", subject_kind="")
        self.source = world.source(model="hr", dataset=spec, holdout=holdout)
        with pytest.raises(SettingsError, match="add --subject-kind person if"):
            train.train_version(self.services, self.source, (8,), self.training)
        spec = replace(spec, subject_kind="employee")
        self.source = replace(self.source, dataset=spec)
        version = train.train_version(self.services, self.source, (8,), self.training)
        enroll.enroll_version(self.services, self.source, version, trust_pickle=False)

    @property
    def training(self):
        return self.source.unlearning.retraining

    def ask(self, name, number, **fields):
        line = {
            "request_id": name,
            "subject_id": subject(number),
            "received_at": "2026-11-20T03:04:05Z",
            **fields,
        }
        self.world.store.put(f"requests/incoming/{name}.jsonl", json.dumps(line).encode())

    def statuses(self):
        return {name: event.status for name, event in self.world.requests().items()}

    def listed(self):
        return suppression_list.load(self.services).subjects

    def who(self, number, kind):
        return pseudonyms(self.services, [subject(number)], kind)[subject(number)]

    def versions(self):
        registry = self.services.registry
        return {model: registry.alias_version(model) for model in ("income", "hr")}


@pytest.fixture
def two(world, tmp_path):
    return TwoKinds(world, tmp_path)


def test_a_request_of_a_customer_leaves_the_employee_of_that_id_alone(two):
    version = DeltaTable(two.staff).version()
    two.ask("CUST-1", 17)
    two.world.run()
    assert two.statuses()["CUST-1"] == "erased"
    assert 17 not in two.world.there()
    assert 17 in two.world.there(two.staff)
    assert DeltaTable(two.staff).version() == version
    assert two.versions() == {"income": 3, "hr": 1}
    assert two.who(17, "person") in two.listed()
    assert two.who(17, "employee") not in two.listed()
    found = two.world.certificate("CUST-1")
    assert found["request"]["subject_kind"] == "person"
    # Where nobody looked for the id, nobody says that it was looked for.
    assert two.staff not in json.dumps([found["tables"], found["tables_searched"]])
    assert two.world.replay() == ([], 0)
    # The employee asks afterwards, is no duplicate, and was never erased before.
    two.ask("HR-1", 17, subject_kind="employee")
    two.world.run()
    assert two.statuses()["HR-1"] == "erased"
    assert 17 not in two.world.there(two.staff)
    assert two.versions() == {"income": 3, "hr": 2}
    found = two.world.certificate("HR-1")
    assert (found["request"]["subject_kind"], "earlier_certificates" in found) == (
        "employee",
        False,
    )
    assert len(trace_subject(two.services, subject(17))) == 1
    assert len(trace_subject(two.services, subject(17), "employee")) == 1


def test_who_of_them_is_delivered_again_is_asked_for_in_the_right_kind(two, tmp_path):
    shutil.copytree(two.staff.removeprefix("file://"), tmp_path / "copy")
    two.ask("HR-2", 18, subject_kind="employee")
    two.world.run()
    shutil.rmtree(two.staff.removeprefix("file://"))
    shutil.copytree(tmp_path / "copy", two.staff.removeprefix("file://"))
    assert two.world.replay()[1] == 1
    two.world.run()
    assert 18 not in two.world.there(two.staff)
    assert 18 in two.world.there()
    assert two.who(18, "person") not in two.listed()


def test_a_hold_protects_one_kind_if_it_names_one_and_every_kind_if_not(two):
    two.world.hold(30)
    line = json.dumps({"subject_id": subject(31), "subject_kind": "employee"})
    two.world.store.put("requests/holds/staff.jsonl", line.encode())
    for kind in ("person", "employee"):
        two.ask(f"{kind}-30", 30, subject_kind=kind)
        two.ask(f"{kind}-31", 31, subject_kind=kind)
    two.world.run()
    found = two.statuses()
    assert {name: found[name] for name in found if name[-2:] in ("30", "31")} == {
        "person-30": "on_hold",
        "employee-30": "on_hold",
        "person-31": "erased",
        "employee-31": "on_hold",
    }
    assert 31 in two.world.there(two.staff)


def test_rows_of_a_batch_of_both_kinds_are_those_of_the_table_s_kind(two):
    two.ask("A-1", 40)
    two.ask("A-2", 41, subject_kind="employee")
    (batch,) = open_batches.open_batches(two.services)
    two.world.process(batch)
    assert BatchRows(two.services, batch, two.staff).subjects == [subject(41)]
    assert BatchRows(two.services, batch, two.world.table).subjects == [subject(40)]
    assert {40, 41} & two.world.there() == {41}
    assert {40, 41} & two.world.there(two.staff) == {40}


def test_whose_id_only_another_kind_has_is_unclear_until_a_person_says_who_is_meant(two):
    # No employee has the ids 225 and 226, but one has 100.
    two.ask("K-1", 225, subject_kind="employee")
    two.ask("K-2", 226, subject_kind="employee")
    two.ask("K-3", 100)
    two.world.run()
    told = two.world.requests()
    assert {name: told[name].status for name in ("K-1", "K-2", "K-3")} == {
        "K-1": "unclear",
        "K-2": "unclear",
        "K-3": "erased",
    }
    assert told["K-1"].facts.reason == (
        "no table of its kind has this id, but another kind has it (person: 1 row); a person says "
        "who is meant"
    )
    assert MARK not in repr([event.facts for event in told.values()])
    settle(two.services, "K-1", "exact", name="Ada", reason="She works there.")
    settle(two.services, "K-2", "withdraw", name="Ada", reason="He is a customer.")
    two.ask("K-2", 226)
    two.ask("K-4", 100)  # was erased before, and nobody need ask
    two.world.run()
    assert two.statuses()["K-1"] == "not_found"
    found = two.world.certificate("K-1")
    told = two.world.requests()
    assert told["K-1"].facts.reason == (
        "no table of its kind has a row of exactly this id, which Ada said is meant"
    )
    assert found["spelling"]["kinds_seen"] == ["person"]
    assert "or of the same id under another kind" in " ".join(found["not_proven"])
    assert two.world.certificate("K-2")["outcome"] == "erased"
    assert told["K-4"].facts.reason.startswith(
        "no table of its kind has a row of exactly or nearly this id; erased before"
    )
    assert {225, 226} & two.world.there() == {225}


def test_a_request_of_a_kind_that_no_table_has_is_quarantined_with_those_that_there_are(two):
    two.ask("X-1", 50, subject_kind="supplier")
    two.world.run()
    told = two.world.requests()["X-1"]
    assert told.status == "quarantined"
    assert told.facts.reason.endswith("enrolled with: employee, person")


def test_of_a_kind_whose_tables_were_all_closed_nobody_can_tell_and_nobody_is_refused(two):
    unenroll(two.services, "hr", name="Ada", reason="It serves nobody.")
    for table in (two.staff, two.source.holdout):
        close_table(two.services, table, name="Ada", reason="The firm was sold.")
    two.ask("X-2", 7777, subject_kind="employee")
    two.world.run()
    assert two.world.requests()["X-2"].status == "cannot_tell"
    told = two.world.requests()["X-2"].facts.reason.split("; ")
    assert told[0] == "no table of its kind was searched"
    assert f"{two.staff} was not searched, for Ada closed it" in told
    body = two.world.certificate("X-2")
    assert {two.staff, two.source.holdout} <= {one["table"] for one in body["tables_closed"]}
