"""Which batches there are, whatever was interrupted; no model and no table is needed for that."""

import json
from dataclasses import asdict

import pytest

from tasks.attempts.attempt import Attempt
from tasks.intake import batches, inbox, legal_holds, validation
from tasks.report import mlflow_mirror
from tasks.store import journal, lease
from tasks.subjects import late_holds, open_batches
from unlearning.errors import ConflictError, SettingsError


def submit(store, name, *numbers, line=""):
    rows = [
        {"request_id": f"R-{n}", "subject_id": f"person-{n}", "received_at": "2026-01-02T03:04:05Z"}
        for n in numbers
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    store.put(f"requests/incoming/{name}.jsonl", f"{text}\n{line}".encode())


def hold(store, number):
    rows = json.dumps({"subject_id": f"person-{number}"})
    store.put(f"requests/holds/{number}.jsonl", rows.encode())


def release(store, number):
    store.delete(f"requests/holds/{number}.jsonl")


def block(store, batch, attempt="a"):
    """Block a batch as a failed gate does, all its requests having rows."""
    rows = {d.record_id: 1 for d in batches.accepted(store, batch)}
    found = [{"uri": "t", "column": "c", "version": 1, "row_count": 1, "rows": rows}]
    store.put(f"batches/{batch}/matches.json", json.dumps(found).encode())
    planned = Attempt(
        key=attempt,
        batch=batch,
        model="model",
        parent_version=1,
        parent_digest="d",
        dataset="t",
        dataset_version=1,
        holdout_version=1,
        row_count=9,
        forget_count=1,
        forget_digest="f",
        config_digest="c",
        method="retrain",
    )
    mlflow_mirror.block(store, planned, ["holdout_accuracy_loss"], "No rung was enough.")


def frozen(store):
    (batch,) = open_batches.open_batches(store)
    return batch


def statuses(store):
    heads = journal.heads(store, "requests")
    return {e.facts["request_id"]: e.status for _, e in heads}


def batch_status(store, batch):
    return journal.read(store, batches.stream(batch))[-1].status


def interrupted(*_):
    raise KeyboardInterrupt


def test_nothing_new_is_nothing_to_do(store):
    assert open_batches.open_batches(store) == []
    assert not open_batches.has_work(store)


def test_a_batch_keeps_its_files_when_the_sender_overwrites_or_removes_them(store):
    submit(store, "daily", 1, 2)
    batch = frozen(store)
    submit(store, "daily", 3)
    batches.validate(store, batch)
    assert statuses(store) == {"R-1": "accepted", "R-2": "accepted"}
    _, second = open_batches.open_batches(store)
    store.delete("requests/incoming/daily.jsonl")
    batches.validate(store, second)
    assert statuses(store)["R-3"] == "accepted"


def test_a_file_that_its_sender_removes_while_it_is_frozen_makes_no_batch(store):
    submit(store, "one", 1)
    listed = inbox.new_files(store)
    store.delete("requests/incoming/one.jsonl")
    assert inbox.freeze(store, listed, {}) == ""
    assert open_batches.open_batches(store) == []
    assert not open_batches.has_work(store)


def test_a_freeze_killed_before_its_claims_puts_no_row_into_two_batches(store, monkeypatch):
    submit(store, "one", 1)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "claim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_batches.open_batches(store)
    submit(store, "two", 2)
    found = open_batches.open_batches(store)
    records = [r.record_id for b in found for r in inbox.read_records(store, b)]
    assert len(found) == 2
    assert len(records) == len(set(records)) == 2


def test_a_run_that_was_replaced_freezes_nothing(store):
    submit(store, "one", 1)
    listed = inbox.new_files(store)
    store.put("lease/000001.json", json.dumps(asdict(lease._this_process())).encode())
    with pytest.raises(ConflictError, match="Another run"):
        inbox.freeze(store, listed, {})
    assert open_batches.unfinished(store) == []


def test_a_file_belongs_to_the_batch_that_claimed_it_first(store):
    submit(store, "one", 1)
    listed = inbox.new_files(store)  # and this run sleeps through its replacement
    submit(store, "two", 2)
    batch = frozen(store)
    late = inbox.freeze(store, listed, {})
    assert batches.validate(store, late) == {}
    assert batches.validate(store, batch) == {"accepted": 2}
    assert statuses(store) == {"R-1": "accepted", "R-2": "accepted"}


def test_a_released_record_of_an_interrupted_batch_is_not_frozen_again(store):
    hold(store, 1)
    submit(store, "one", 1)
    batches.validate(store, frozen(store))
    journal.append(store, journal.Entry(f"batches/{frozen(store)}", "c", "BatchClosed", {}))
    release(store, 1)
    second = frozen(store)  # and the run is killed before it validates
    submit(store, "two", 2)
    found = open_batches.open_batches(store)
    assert found[0] == second
    assert [len(list(inbox.read_records(store, b))) for b in found] == [1, 1]
    for batch in found:
        batches.validate(store, batch)
    assert statuses(store) == {"R-1": "accepted", "R-2": "accepted"}


def test_a_batch_is_closed_only_if_all_its_open_requests_went_on(store):
    hold(store, 1)
    submit(store, "one", 1, 2, 3)
    first = frozen(store)
    batches.validate(store, first)
    release(store, 1)
    _, second = open_batches.open_batches(store)  # takes the released request alone
    batches.validate(store, second)
    block(store, first)
    block(store, second)
    assert set(open_batches.open_batches(store)) == {first, second}
    submit(store, "two", 4)
    (third,) = open_batches.open_batches(store)
    batches.validate(store, third)
    assert set(statuses(store).values()) == {"accepted"}
    assert {e.facts["batch"] for _, e in journal.heads(store, "requests")} == {third}
    assert (batch_status(store, first), batch_status(store, second)) == ("closed", "closed")


def test_a_request_that_is_held_and_released_twice_is_worked_on_twice(store):
    hold(store, 1)
    submit(store, "one", 1)
    batches.validate(store, frozen(store))
    journal.append(store, journal.Entry(f"batches/{frozen(store)}", "c", "BatchClosed", {}))
    release(store, 1)
    second = frozen(store)
    batches.validate(store, second)
    block(store, second)
    hold(store, 1)
    submit(store, "two", 2)
    third = frozen(store)
    batches.validate(store, third)
    assert statuses(store) == {"R-1": "on_hold", "R-2": "accepted"}
    journal.append(store, journal.Entry(f"batches/{third}", "c", "BatchClosed", {}))
    release(store, 1)
    fourth = frozen(store)
    batches.validate(store, fourth)
    assert statuses(store)["R-1"] == "accepted"
    assert len({second, third, fourth}) == 3


@pytest.mark.parametrize("subject", ["person-1", "somebody else"])
@pytest.mark.parametrize("keep", [hold, None], ids=["on hold", "blocked"])
def test_an_open_request_keeps_its_id_whoever_uses_it_again(store, keep, subject):
    if keep:
        keep(store, 1)
    submit(store, "one", 1)
    first = frozen(store)
    batches.validate(store, first)
    if keep:
        journal.append(store, journal.Entry(f"batches/{first}", "c", "BatchClosed", {}))
        release(store, 1)
    else:
        block(store, first)
    ((mine, _),) = journal.heads(store, "requests")
    again = {"request_id": "R-1", "subject_id": subject, "received_at": "2026-01-02T03:04:05Z"}
    submit(store, "two", 2, line=json.dumps(again))
    second = frozen(store)
    batches.validate(store, second)
    outcome = "duplicate" if subject == "person-1" else "quarantined"
    heads = dict(journal.heads(store, "requests"))
    assert heads.pop(mine).status == "accepted"
    assert sorted(e.status for e in heads.values()) == ["accepted", outcome]
    assert batches.subjects(store, second) == ["person-1", "person-2"]


def test_a_rule_that_came_later_does_not_refuse_who_was_valid_before(store, monkeypatch):
    submit(store, "one", 1)
    first = frozen(store)
    batches.validate(store, first)
    block(store, first)
    monkeypatch.setattr(validation, "REQUEST_ID", "^case-")
    submit(store, "two", 2)
    batches.validate(store, frozen(store))
    assert {d.outcome for d in batches.dispositions(store, frozen(store))} == {
        "accepted",
        "quarantined",
    }
    assert statuses(store)["R-1"] == "accepted"


def test_a_hold_placed_while_a_batch_waits_takes_the_request_out(store):
    submit(store, "one", 1, 2)
    batch = frozen(store)
    batches.validate(store, batch)
    hold(store, 1)
    with pytest.raises(ConflictError, match="1 subjects"):
        late_holds.refuse_held(store, batch)
    assert late_holds.withhold(store, batch) == 1
    assert late_holds.withhold(store, batch) == 0
    late_holds.refuse_held(store, batch)
    assert statuses(store) == {"R-1": "on_hold", "R-2": "accepted"}
    assert batches.subjects(store, batch) == ["person-2"]
    release(store, 1)
    assert len(open_batches.open_batches(store)) == 2


def test_a_run_that_was_replaced_takes_nobody_out(store):
    submit(store, "one", 1)
    batch = frozen(store)
    batches.validate(store, batch)
    hold(store, 1)
    other = lease.Holder("elsewhere", 1, "another machine", "", "token")
    store.put("lease/000001.json", json.dumps(asdict(other)).encode())
    with pytest.raises(ConflictError, match="process 1 on elsewhere"):
        late_holds.withhold(store, batch)
    assert statuses(store) == {"R-1": "accepted"}


def test_batches_are_worked_off_in_the_order_in_which_they_came(store):
    submit(store, "one", 1)
    first = frozen(store)
    submit(store, "two", 2)
    second = open_batches.open_batches(store)[1]
    batches.validate(store, first)  # its latest event is now the younger one
    assert open_batches.open_batches(store) == [first, second]


def test_a_hold_needs_the_subject_alone_and_one_that_nobody_could_read_is_refused(store, tmp_path):
    (good := tmp_path / "good.csv").write_text("subject_id\nperson-1\nperson-2\n")
    assert legal_holds.place(store, good) == 2
    assert legal_holds.subjects_on_hold(store) == {"person-1", "person-2"}
    for name, text in (("a.csv", "who\nperson-3\n"), ("b.jsonl", '{"subject": 3}'), ("c.txt", "x")):
        (bad := tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=f"{name} is no hold") as error:
            legal_holds.place(store, bad)
        assert "person" not in str(error.value)
    with pytest.raises(SettingsError, match=r"No hold is named a\.csv; in force are: good\.csv\."):
        legal_holds.release(store, "a.csv")
    legal_holds.release(store, "good.csv")
    assert legal_holds.subjects_on_hold(store) == set()


def test_a_quarantined_row_is_kept_with_the_name_of_its_file(store):
    store.put("requests/incoming/from the court.jsonl", b'{"request_id": "R-1"}')
    (batch,) = open_batches.open_batches(store)
    batches.validate(store, batch)
    (line,) = store.get(f"requests/quarantine/{batch}.jsonl").splitlines()
    assert json.loads(line)["file"] == "requests/incoming/from the court.jsonl"


def test_a_file_too_large_to_read_is_one_quarantined_record_and_is_not_copied(store, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_BYTES", 200)
    submit(store, "huge", *range(9))
    submit(store, "small", 9)
    batch = frozen(store)
    assert batches.validate(store, batch) == {"accepted": 1, "quarantined": 1}
    (refused,) = (d for d in batches.dispositions(store, batch) if d.outcome == "quarantined")
    assert "split it" in refused.reason
    assert len(list(store.list_objects("requests/files/"))) == 1
    assert open_batches.open_batches(store) == [batch]


def test_every_line_of_a_hostile_file_ends_in_exactly_one_state(store):
    good = {"request_id": "R-1", "subject_id": "=cmd|' /C calc'!A1"}
    good["received_at"] = "2026-01-02T03:04:05Z"
    lines = [
        json.dumps(good),
        json.dumps(good),
        json.dumps(good | {"subject_id": "somebody else"}),
        json.dumps(good | {"request_id": "=1+1"}),
        json.dumps(good | {"request_id": "R-2", "subject_id": float("nan")}),
        json.dumps(good | {"request_id": "R-3", "subject_id": "\ud800"}),
        '{"request_id": "R-4", "request_id": "R-5"}',
        "not JSON",
    ]
    store.put("requests/incoming/a b\u202e=cmd.jsonl", "\n".join(lines).encode())
    batch = frozen(store)
    counts = batches.validate(store, batch)
    assert counts == {"accepted": 1, "duplicate": 1, "quarantined": 6}
    heads = dict(journal.heads(store, "requests"))
    assert [d.record_id for d in batches.dispositions(store, batch)] == list(heads)
    assert len(heads) == len(lines)
    assert batches.subjects(store, batch) == [good["subject_id"]]
    kept = store.get(f"requests/quarantine/{batch}.jsonl").decode().splitlines()
    assert len([json.loads(line, parse_constant=pytest.fail) for line in kept]) == 6
    page = store.get(f"reports/{batch}/validation.html").decode()
    assert "cmd" not in page
    assert "=1+1" not in page
