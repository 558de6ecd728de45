"""What is told on every way of an erasure, sentence by sentence, against what was recorded.

Each sentence that a person may read stands in a table below with the effect that it rests on. One
that stands in none, or whose effect is not on record, fails.
"""

import re
from dataclasses import replace

from deltalake import DeltaTable
from erased_world import Unreported, World
from small_tables import subject

from tasks import pipeline
from tasks.certificates.limits import LIMITS
from tasks.certificates.status import requests
from tasks.enrolling import enroll
from tasks.intake import batches
from tasks.journal.events.batches import ModelUntouched
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.report.report import write_report
from tasks.report.sentences import batch_headline
from tasks.subjects import open_batches
from tasks.subjects.matches import matches
from unlearning.gate.gate import no_candidate
from unlearning.policy.budget import is_exact


class Told:
    """All that is told of one answered request, and what its batch recorded."""

    def __init__(self, world: World, request: str) -> None:
        services = world.services
        (self.status,) = [r for r in requests(services) if r.request_id == request]
        self.batch = self.status.batch
        self.certificate = world.certificate(request)
        self.history = read_batch(services.journal, self.batch)
        self.facts = write_report(services, self.batch)
        self.headline = batch_headline(self.facts)
        self.models = list(enrolled_models(services.journal))
        self.tables = matches(services, self.batch)
        (self.record,) = [
            d.record_id
            for d in batches.dispositions(services, self.batch)
            if d.request_id == request
        ]
        self.stated = self.certificate.get("models", [])
        self.services = services

    @property
    def clauses(self) -> list[str]:
        return self.status.reason.split("; ")

    def ended(self, model: str):
        """The attempt on a model that was planned last."""
        return self.history.plans[model]

    def has_retrained(self, model: str) -> bool:
        last = self.ended(model)
        return last.promoted is not None and last.passed and is_exact(last.attempt.method)

    def has_withdrawn(self, model: str, version: str) -> bool:
        last = self.ended(model)
        return last.withdrawn is not None and last.attempt.parent_version == int(version)

    def was_out(self, model: str, version: str) -> bool:
        noted = {(one.model, one.parent_version) for one in self.history.out_of_service}
        return (model, int(version)) in noted

    def is_untouched(self) -> bool:
        untouched = {
            e.facts.model for e in self.history.untouched if isinstance(e.facts, ModelUntouched)
        }
        located = {m.uri for m in self.tables if self.record in m.rows}
        return {e.model for e in self.models if e.dataset.uri in located} <= untouched

    def erased_rows(self, count: str) -> bool:
        mine = sum(m.rows.get(self.record, 0) for m in self.tables)
        return mine == int(count) and any(
            t.erased and t.purged for t in self.history.tables.values()
        )

    def is_gone(self, count: str) -> bool:
        gone = {uri for uri, table in self.history.tables.items() if table.is_gone}
        lost = sum(m.rows.get(self.record, 0) for m in self.tables if m.uri in gone)
        return lost == int(count) > 0

    def found_nothing(self) -> bool:
        searched = {one["table"] for one in self.certificate["tables_searched"]}
        return bool(searched) and not any(self.record in m.rows for m in self.tables)

    def had_other_versions(self, model: str) -> bool:
        return len(read_model(self.services.journal, model).weights.attempts) > 1

    def has_earlier(self, key: str) -> bool:
        return key in self.certificate["earlier_certificates"] and bool(
            self.services.store.get(key)
        )


REASONS = {
    r"(\d+) rows? erased": Told.erased_rows,
    r"(\d+) rows? in \S+ not erased, for it could not be opened": Told.is_gone,
    r"left out when (\S+) was retrained": Told.has_retrained,
    r"(\S+) version (\d+) was withdrawn and still remembers": Told.has_withdrawn,
    r"(\S+) version (\d+) was out of service before and may still remember": Told.was_out,
    r"learned by versions of (\S+) before the present one": Told.had_other_versions,
    r"no model in service was trained on them": Told.is_untouched,
    r"no table has a row of exactly or nearly this id": Told.found_nothing,
    r"erased before, see (\S+)": Told.has_earlier,
}


def retrained(told: Told) -> bool:
    return any(told.has_retrained(model) for model in told.history.plans)


def remembers(told: Told) -> bool:
    withdrawn = any(one.withdrawn for one in told.history.attempts.values())
    return withdrawn or bool(told.history.out_of_service)


def leaves_versions(told: Told) -> bool:
    return bool(told.history.earlier_versions_as_of)


LIMITED = {
    "A retrained model was not asked": retrained,
    "Whoever could ask a model before and after": retrained,
    "The gate that judged a model with gate_was_wider": retrained,
    "A model that is withdrawn or out of service": remembers,
    "Earlier model versions remember": leaves_versions,
    "Versions of the models that were never enrolled": lambda told: bool(told.stated),
    "Other columns of the tables": lambda told: any(t.purged for t in told.history.tables.values()),
    "A table whose outcome is 'gone'": lambda told: any(
        t.is_gone for t in told.history.tables.values()
    ),
    "Rows under another id were not found": Told.found_nothing,
    "Only what stands under tables_searched": Told.found_nothing,
    "Backups, exports and copies": lambda _: True,
    "This file is not signed.": lambda told: "signature" not in told.certificate,
}


def check(told: Told) -> None:
    """Read every sentence and ask for the effect that it rests on."""
    for clause in told.clauses:
        behind = [
            (m, holds) for form, holds in REASONS.items() if (m := re.fullmatch(form, clause))
        ]
        assert len(behind) == 1, f"nobody knows what this rests on: {clause}"
        ((match, holds),) = behind
        assert holds(told, *match.groups()), clause
    for sentence in told.certificate["not_proven"]:
        behind = [holds for begin, holds in LIMITED.items() if sentence.startswith(begin)]
        assert len(behind) == 1, f"nobody knows what this rests on: {sentence}"
        assert behind[0](told), sentence
    known = {limit.sentence for limit in LIMITS}
    assert set(told.facts.limits) <= known
    outcomes = {one["model"]: one["outcome"] for one in told.stated}
    for model, outcome in outcomes.items():
        if outcome == "forgotten":
            assert told.has_retrained(model)
    if remembers(told):
        assert told.headline.tone == "reserved"
        assert "unlearned" not in told.status.reason


class Unmeasurable(Unreported):
    """The steps of an erasure in which no candidate can be measured."""

    def judge_candidate(self, attempt, failure):
        return no_candidate("The candidate cannot be measured.")


def run_by(steps: type[Unreported], world: World, name: str, *numbers: int) -> None:
    """Submit requests and work them off, whatever becomes of the models."""
    world.submit(name, numbers)
    for batch in open_batches.open_batches(world.services):
        models = [e.model for e in enrolled_models(world.services.journal)]
        pipeline.process_batch(steps(world.services), batch, models)


def test_a_promotion_is_told_as_what_it_was(world):
    told = Told(world, "R-0")
    check(told)
    assert told.clauses == ["1 row erased", "left out when income was retrained"]
    assert told.headline.tone == "done"


def test_who_is_not_found_is_told_of_the_search_alone(world):
    world.submit("N", [999_999])
    world.run()
    told = Told(world, "N-999999")
    check(told)
    assert told.status.status == "not_found"
    assert "not_proven" in told.certificate


def test_a_withdrawal_is_never_called_unlearning_nor_is_what_follows_it(world):
    source = world.source(
        policy=replace(world.source().policy, withdraw_days=60, last_resort="withdraw")
    )
    enroll.enroll_version(world.services, source, None, trust_pickle=False)
    run_by(Unmeasurable, world, "W", 20)
    told = Told(world, "W-20")
    check(told)
    assert told.clauses == ["1 row erased", "income version 2 was withdrawn and still remembers"]
    run_by(Unreported, world, "A", 21)
    after = Told(world, "A-21")
    check(after)
    assert after.clauses[1] == "income version 2 was out of service before and may still remember"
    assert 20 not in world.there()


def test_who_is_held_is_told_of_no_answer(world):
    world.hold(30)
    world.submit("H", [30])
    world.run()
    (status,) = [r for r in requests(world.services) if r.request_id == "H-30"]
    assert (status.status, status.certificate) == ("on_hold", "")
    assert "erased" not in status.reason
    assert 30 in world.there()


def test_who_is_back_is_told_of_the_first_erasure(world):
    world.deliver_again(3)
    world.replay()
    world.run()
    (name,) = [n for n in world.requests() if n.startswith("replay-")]
    told = Told(world, name)
    check(told)
    assert told.clauses[-1] == "erased before, see certificates/R-3.json"


def test_a_person_only_in_the_holdout_is_told_that_no_model_learned_of_them(world):
    known = DeltaTable(world.holdout).to_pyarrow_table()["subject_id"].to_pylist()
    number = int(known[0].rpartition("-")[2])
    assert subject(number) == known[0]
    world.submit("O", [number])
    world.run()
    told = Told(world, f"O-{number}")
    check(told)
    assert told.clauses == ["1 row erased", "no model in service was trained on them"]
