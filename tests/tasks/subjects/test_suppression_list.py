"""Who was erased, by keyed hash: listed before rows go, and taken off if they stay."""

import json
from dataclasses import replace

import pytest
from deltalake import write_deltalake
from erased_world import GONE
from factories import enrollment
from sent_requests import find_rows, submit
from small_tables import MARK, rows, subject

from tasks.attempts import planning
from tasks.environment.settings import load_settings
from tasks.erasure import rows as rows_gone
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.reading import read_batch, record_enrollment
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.subjects import late_holds, open_batches, resolution, suppression_list
from tasks.tables import delta
from unlearning.errors import ConflictError, SettingsError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_first_erasure_is_on_the_suppression_list(world):
    listed = suppression_list.load(world.services)
    assert len(listed.subjects) == len(GONE)
    assert world.champion() == 2
    assert not world.there() & set(GONE)
    assert world.replay() == ([], 0)
    for info in world.store.list_objects(""):
        if not info.key.startswith("requests/"):
            assert MARK.encode() not in world.store.get(info.key), info.key


def test_another_request_of_somebody_who_is_gone_cites_the_first_certificate(world):
    world.submit("later", [1, 800])
    world.run()
    found = world.requests()
    assert {found[i].status for i in ("later-1", "later-800")} == {"not_found"}
    assert world.certificate("later-1")["earlier_certificates"] == ["certificates/R-1.json"]
    assert "earlier_certificates" not in world.certificate("later-800")
    assert found["later-1"].facts.reason.endswith("erased before, see certificates/R-1.json")


def test_a_hold_between_the_list_and_the_deletion_takes_its_subject_off_the_list(
    world, monkeypatch
):
    hold = json.dumps({"subject_id": subject(50)}).encode()
    world.submit("r", [50, 51])
    with monkeypatch.context() as patch:
        suppress = suppression_list.suppress

        def hold_then(services, batch):
            count = suppress(services, batch)
            services.store.put("requests/holds/court.jsonl", hold)
            return count

        patch.setattr(suppression_list, "suppress", hold_then)
        with pytest.raises(ConflictError, match="legal hold"):
            world.run()
    before = suppression_list.load(world.services)
    world.run()
    listed, named = (
        suppression_list.load(world.services),
        batches.pseudonyms(world.services, [subject(50), subject(51)], "person"),
    )
    assert named[subject(50)] in before.subjects - listed.subjects
    assert named[subject(51)] in listed.subjects
    assert listed.digest != before.digest
    assert world.there() & {50, 51} == {50}
    assert world.replay() == ([], 0)

    world.store.delete("requests/holds/court.jsonl")
    world.run()
    assert 50 not in world.there()
    assert named[subject(50)] in suppression_list.load(world.services).subjects
    found = world.certificate("r-50")
    assert "earlier_certificates" not in found
    # The model forgot the row in the batch that the hold took it out of, and is not asked again.
    assert world.champion() == 3
    assert [(m["model"], m["version"], m["forget_count"]) for m in found["models"]] == [
        ("income", 3, 2)
    ]
    told = world.requests()["r-50"].facts.reason
    assert told.startswith("1 row erased; left out when income was retrained in batch b-")


def test_the_list_of_a_batch_that_another_takes_over_excuses_no_model(world):
    world.submit("X", [50])
    (first,) = open_batches.open_batches(world.services)
    batches.validate(world.services, first)
    resolution.resolve(world.services, first)
    before = world.enrolled()
    world.unlearn(first, "income")
    suppression_list.suppress(world.services, first)
    world.enroll_copy(before, "late")
    blocked = planning.plan(world.services, first, "late")
    assert blocked is not None
    mlflow_mirror.block(world.services, blocked, ["holdout_accuracy_loss"], "No rung was enough.")

    world.submit("Y", [60])
    (second,) = open_batches.open_batches(world.services)
    assert suppression_list.load(world.services).by_batch[first] == {}
    batches.validate(world.services, second)
    resolution.resolve(world.services, second)
    planned = planning.plan(world.services, second, "late")
    assert planned is not None
    assert planned.forget_count == 2
    world.process(second)
    models = world.certificate("X-50")["models"]
    assert {m["model"]: m["forget_count"] for m in models} == {"income": 1, "late": 2}


def test_a_table_found_late_changes_no_other_and_keeps_nobody_under_a_hold_on_the_list(world):
    world.submit("r", [50, 900])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    suppression_list.suppress(world.services, batch)
    before = delta.open_table(world.services.settings, world.table).version()
    rows_gone.erase_rows(world.services, batch, world.table)
    places = [f"file://{world.folder}/{name}" for name in ("photos", "of-one-known-before")]
    for place, first in zip(places, (880, 45), strict=True):
        write_deltalake(place, rows(25, first=first))
        late = replace(world.enrolled().dataset, uri=place)
        record_enrollment(
            world.services.journal, replace(world.enrolled(), model=place[-6:], dataset=late)
        )
    resolution.resolve(world.services, batch)
    assert [suppression_list.suppress_found_later(world.services, batch) for _ in range(2)] == [
        1,
        0,
    ]
    stated = [suppression_list.last_erasure(world.services, t) for t in (world.table, *places)]
    assert [one and one[1] for one in stated] == [before, 0, 0]
    assert suppression_list.last_erasure(world.services, world.holdout) is None

    known, late = (
        batches.pseudonyms(world.services, [subject(n)], "person")[subject(n)] for n in (50, 900)
    )
    assert {known, late} <= suppression_list.load(world.services).subjects
    world.hold(900)
    late_holds.withhold(world.services, batch)
    assert suppression_list.lift_withheld(world.services, batch) == 1
    listed = suppression_list.load(world.services).subjects
    assert known in listed
    assert late not in listed


def test_a_list_of_another_key_is_refused(world, monkeypatch):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", "0" * 64)
    with pytest.raises(SettingsError, match="another EXPUNGE_PSEUDONYM_KEY"):
        suppression_list.load(Services.open(load_settings()))


def listed(services, number):
    """A batch whose one subject has a row and stands on the list."""
    submit(services, f"file-{number}", number)
    (batch,) = set(open_batches.open_batches(services)) - set(
        suppression_list.load(services).by_batch
    )
    batches.validate(services, batch)
    find_rows(services, batch)
    suppression_list.suppress(services, batch)
    return batch


@pytest.fixture
def tableless(services, monkeypatch):
    """Services where the one table that requests have rows in is no more."""
    monkeypatch.setattr(suppression_list, "is_table", lambda *_: False)
    return services


def test_who_is_on_the_list_is_found_there_by_every_batch_that_erased_them(tableless):
    batch = listed(tableless, 1)
    found = suppression_list.load(tableless)
    (who,) = found.subjects
    assert found.by_batch == {batch: {who: "R-1"}}
    assert found.requests_of(who) == ["R-1"]
    assert found.requests_of("somebody else") == []
    assert read_batch(tableless.journal, batch).is_suppressed
    assert suppression_list.suppress(tableless, batch) == 1
    assert suppression_list.earlier_requests(tableless, batch) == {}


def test_whom_a_hold_took_out_is_lifted_from_the_list_once(tableless):
    batch = listed(tableless, 1)
    before = suppression_list.load(tableless)
    assert suppression_list.lift_withheld(tableless, batch) == 0
    (record,) = batches.accepted(tableless, batch)
    facts = RequestsWithheld(records=(record.record_id,))
    tableless.journal.append(batch_stream(batch), ids.withheld(4), facts)
    assert suppression_list.lift_withheld(tableless, batch) == 1
    after = suppression_list.load(tableless)
    assert after.subjects == frozenset()
    assert after.digest != before.digest
    assert suppression_list.lift_withheld(tableless, batch) == 0


def test_a_model_knows_nobody_on_the_list_but_whom_it_learned_all_the_same(tableless):
    first, second = (listed(tableless, number) for number in (1, 2))
    (one,), (two,) = (suppression_list.load(tableless).by_batch[b] for b in (first, second))
    assert suppression_list.never_learned_by(tableless, enrollment()) == {one, two}
    key = suppression_list.record_relearned(tableless, "d1", [one])
    learned = enrollment(relearned=key)
    assert suppression_list.never_learned_by(tableless, learned) == {two}
    assert suppression_list.never_learned_by(tableless, learned, before=second) == frozenset()


def test_reading_the_list_costs_as_much_after_a_hundred_batches_as_after_one(
    tableless, monkeypatch
):
    template = json.loads(tableless.store.get(f"suppression/{listed(tableless, 1)}.json"))
    for number in range(100):
        body = template | {"batch": f"b-{number}", "subjects": {f"p-{number}": f"R-{number}"}}
        tableless.store.put(f"suppression/b-{number}.json", json.dumps(body).encode())
    suppression_list.load(tableless)  # some run packs them
    fresh = Services.open(load_settings())
    read, real = [], fresh.store.get
    monkeypatch.setattr(fresh.store, "get", lambda key: read.append(key) or real(key))
    assert len(suppression_list.load(fresh).subjects) == 101
    suppression_list.load(fresh)
    assert len(read) <= 2
