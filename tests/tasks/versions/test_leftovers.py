"""Weights of closed batches go, and those of open ones stay."""

from dataclasses import replace

from every_event import TIMED
from hand_made_versions import MODEL
from small_tables import MARK

from tasks.journal.events import ids
from tasks.journal.events.attempts import BatchBlocked
from tasks.journal.events.batches import BatchSuperseded
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import HoldoutErased, ReferenceModelsStored
from tasks.journal.reading import read_enrollment, record_enrollment
from tasks.report import mlflow_mirror
from tasks.versions.leftovers import drop_leftovers
from unlearning.evidence.attack_power import AttackPower

POWER = AttackPower(attack="loss", auc=0.7, deviation=0.2, holdout_variance=0.01)
BEA, CYD = f"{MARK}-2", f"{MARK}-3"


def test_candidates_of_closed_batches_go_and_those_of_open_ones_stay(promoted):
    services, store = promoted.services, promoted.store
    lost = promoted.batch("b-2", [BEA])
    attempt = promoted.batch("b-3", [CYD])
    blocked = BatchBlocked(model=MODEL, attempt=lost.key, failed=(), reason="No rung was enough.")
    promoted.happen("b-2", lost.ids.blocked, blocked)
    promoted.happen("b-2", ids.superseded("b-3"), BatchSuperseded(by="b-3"))
    assert drop_leftovers(services) == 4  # b-1 was closed by hand, b-2 by b-3
    left = {i.key for f in ("candidates/", "checkpoints/") for i in store.list_objects(f)}
    assert left == {attempt.ids.candidate, attempt.ids.checkpoint}
    mlflow_mirror.close(services, "b-3")
    assert drop_leftovers(services) == 0


def test_what_was_made_of_rows_of_former_tables_or_left_behind_an_erasure_goes(promoted):
    services, store = promoted.services, promoted.store
    first = read_enrollment(services.journal, MODEL)
    stream = model_stream(MODEL)

    def keep(key, holdout):
        facts = ReferenceModelsStored(
            references=key, count=2, version=1, power=POWER, timed=TIMED, holdout=holdout
        )
        services.journal.append(stream, ids.references(key), facts)
        store.put(key, b"weights")
        store.put(read_enrollment(services.journal, MODEL).ledger_key, b"mean gradient")

    def left():
        assert drop_leftovers(services) >= 0
        return {i.key for f in ("references/", "ledgers/") for i in store.list_objects(f)}

    keep("references/income/a", first.holdout)
    store.put("references/income/unnoted", b"weights")
    assert left() == {"references/income/a", first.ledger_key}
    # Another holdout and table, then the first ones again.
    other = replace(first, holdout="file:///h2", dataset=replace(first.dataset, uri="file:///t2"))
    record_enrollment(services.journal, other)
    keep("references/income/b", other.holdout)
    assert left() == {"references/income/b", other.ledger_key}
    record_enrollment(services.journal, first)
    keep("references/income/a", first.holdout)
    assert left() == {"references/income/a", first.ledger_key}
    # Rows are erased, and weights that learned from them come after that.
    services.journal.append(stream, ids.holdout_erased("b-9"), HoldoutErased(batch="b-9"))
    assert left() == {first.ledger_key}
