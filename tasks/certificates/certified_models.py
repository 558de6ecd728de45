"""What a certificate says of models: what each did to forget, and which ones are out of service."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.certificates.gate_words import nothing_left, words_of_gate
from tasks.certificates.models_not_asked import statement
from tasks.certificates.quality import quality_lost
from tasks.enrolling.recipes.kept import stated_recipe
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import AliasWithdrawn
from tasks.journal.events.batches import (
    EarlierVersionsStated,
    ForgottenEarlier,
)
from tasks.journal.events.catalog import batch_stream
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from tasks.versions.copies import state_other_versions
from tasks.versions.old_versions import earlier
from unlearning.errors import DataError
from unlearning.evidence.evidence import ForgettingEvidence, Probes
from unlearning.gate.gate import GateDecision
from unlearning.gate.gate_checks import Check
from unlearning.policy.budget import is_exact
from unlearning.policy.few_people import WITHHELD, without_measures

_BASIS = {
    True: "how it was made: it was trained anew and never read the rows; nothing was measured",
    False: "what was measured: the attack under forgetting, within its limits and its power",
}
"""What an outcome rests on, by whether the model is an exact retrain."""

FORMER = "earlier versions"
"""Outcome of a model whose earlier weights alone learned the rows: said if nothing else is."""


@dataclass(frozen=True, slots=True)
class CertifiedModel:
    """One model's part in the answer to some requests."""

    stated: dict[str, Any]
    records: frozenset[str] | None = None
    """The requests that it answers; None for all that no other part on this model answers."""


def certified_models(services: Services, batch: str) -> list[CertifiedModel]:
    """Every model's part, from what the batch and those before it recorded.

    Until when earlier versions exist is said as of the first call, which is recorded: they may be
    retired at any moment after that.

    Raises:
        DataError: what a promotion rests on is not on record.
    """
    history = read_batch(services.journal, batch)
    parts = [_promoted(services, one) for one in history.promoted()]
    # So does the latest withdrawal, also of a model that was enrolled and planned anew since.
    ended = [(one.attempt, one.withdrawn) for one in history.attempts.values() if one.withdrawn]
    withdrawn = {attempt.model: (attempt, end) for attempt, end in ended}
    parts += [_withdrawn(attempt, end) for attempt, end in withdrawn.values()]
    return [
        *(CertifiedModel(_with_earlier(services, part, batch, batch)) for part in parts),
        *(_forgotten_earlier(services, one, batch) for one in history.forgotten_earlier),
        *(
            CertifiedModel(_with_others(services, statement(one), batch))
            for one in history.out_of_service
        ),
        *_former(services, batch, parts),
    ]


def models_for(
    found: Sequence[CertifiedModel], record: str, tables: Collection[str]
) -> list[dict[str, Any]]:
    """What stands of models in the certificate of one request with rows in these tables."""
    near = [one for one in found if one.stated["dataset"] in tables]
    mine = [one for one in near if one.records is None or record in one.records]
    former = [one.stated for one in mine if one.stated["outcome"] == FORMER]
    present = [one for one in mine if one.stated["outcome"] != FORMER]
    earlier = [one.stated for one in present if one.records is not None]
    answered = {stated["model"] for stated in earlier}
    said = earlier + [one.stated for one in present if one.stated["model"] not in answered]
    told = {stated["model"] for stated in said}
    return said + [stated for stated in former if stated["model"] not in told]


def _former(
    services: Services, batch: str, parts: Sequence[dict[str, Any]]
) -> Iterator[CertifiedModel]:
    """Models whose earlier weights alone learned from a table of the batch."""
    stated = {(part["model"], part["dataset"]) for part in parts}
    for enrollment in enrolled_models(services.journal):
        model = enrollment.model
        for one in read_model(services.journal, model).ties.former:
            if one.batch == batch and (model, one.table) not in stated:
                part = {"model": model, "dataset": one.table, "outcome": FORMER}
                mine = None if one.records is None else frozenset(one.records)
                yield CertifiedModel(_with_earlier(services, part, batch, batch), mine)


def _promoted(services: Services, history: AttemptHistory) -> dict[str, Any]:
    attempt, promoted, made = history.attempt, history.promoted, history.made
    evaluated, decision = history.evaluated, history.decision
    if promoted is None or made is None or evaluated is None or decision is None:
        raise DataError(
            f"The evidence by which {attempt.model} was promoted is not in the journal of batch "
            f"{attempt.batch}; restore it, then run again."
        )
    evidence = evaluated.evidence
    stated = {
        **_parent(attempt),
        "version": promoted.version,
        "digest": promoted.digest,
        "outcome": decision.outcome,
        "method": attempt.method,
        "is_exact": is_exact(attempt.method),
        "outcome_rests_on": _BASIS[is_exact(attempt.method)],
        "kept_from_parent": list(made.kept_from_parent),
        **stated_recipe(made.recipe),
        "rung": attempt.rung,
        "reason": attempt.reason,
        "config_digest": attempt.config_digest,
        "before": asdict(evidence.before),
        "after": asdict(evidence.after),
        **({"number_error": asdict(e)} if (e := evidence.holdout_error) else {}),
        "forgetting": _shared(evidence.forgetting),
        **_pooled(evidence.forgetting),
        **_control(evidence.probes),
        **_not_shown(attempt.method, decision),
        **nothing_left(decision),
        **words_of_gate(services, attempt),
        **({"quality_lost": lost} if (lost := quality_lost(services, history)) else {}),
        "checks": [_check(one) for one in decision.checks],
    }
    return {**without_measures(stated), "withheld": WITHHELD} if attempt.is_of_few else stated


def _check(check: Check) -> dict[str, Any]:
    """A check as it was judged; what it would have meant to fail only where it did."""
    return {k: v for k, v in asdict(check).items() if k != "meaning" or not check.passed}


def _pooled(forgetting: ForgettingEvidence) -> dict[str, int]:
    """How many rows of earlier requests were judged together with these, if any were."""
    others = forgetting.pooled.count - forgetting.own.count
    return {"judged_with_earlier_rows": others} if others > 0 else {}


def _control(probes: Probes) -> dict[str, str]:
    """Why no canaries tried the attack in this run, if that is so."""
    reason = probes.no_canaries
    return {"no_control": f"No control was possible. {reason}"} if reason else {}


def _not_shown(method: str, decision: GateDecision) -> dict[str, list[str]]:
    """Checks of a retrain that failed on too few rows and held up nothing, if there are any."""
    failed = list(decision.failed_names) if is_exact(method) else []
    return {"not_shown": failed} if failed else {}


def _shared(forgetting: ForgettingEvidence) -> dict[str, Any]:
    """What every requester of the batch may read: nothing of single rows."""
    single = ("row_percentiles", "own", "pooled")
    return {name: value for name, value in asdict(forgetting).items() if name not in single}


def _withdrawn(attempt: Attempt, withdrawn: AliasWithdrawn) -> dict[str, Any]:
    """A model that nobody serves any more, since it could not be made to forget."""
    return {**_parent(attempt), "outcome": "withdrawn", "reason": withdrawn.reason}


def _forgotten_earlier(services: Services, noted: ForgottenEarlier, batch: str) -> CertifiedModel:
    """A promotion by an earlier batch, which another model of it had kept from being erased."""
    made = read_batch(services.journal, noted.batch).attempts[noted.attempt]
    approved = {"approved_by": made.approver} if made.approver else {}
    part = {**_promoted(services, made), "in_batch": noted.batch, **approved}
    part = _with_earlier(services, part, noted.batch, batch)
    return CertifiedModel(part, frozenset(noted.records))


def _with_earlier(
    services: Services, part: dict[str, Any], left_with: str, batch: str
) -> dict[str, Any]:
    """With the versions before, which remember until they are purged what left with a batch."""
    model = part["model"]
    as_of = _stated_as_of(services, model, batch)
    part = {**part, "earlier_versions": earlier(services, model, left_with, as_of=as_of)}
    return _with_others(services, part, batch)


def _with_others(services: Services, part: dict[str, Any], batch: str) -> dict[str, Any]:
    """With versions in MLflow that expunge does not look after, if there are any."""
    found = state_other_versions(services, batch, part["model"])
    stated = {"copies": found.copies, "unknown_versions": found.unknown}
    return part | {name: [asdict(o) for o in seen] for name, seen in stated.items() if seen}


def _stated_as_of(services: Services, model: str, batch: str) -> int:
    """The model's event as of which this batch states its earlier versions, now if not before."""
    before = read_batch(services.journal, batch).earlier_versions_as_of
    if model in before:
        return before[model]
    now = EarlierVersionsStated(model=model, as_of=read_model(services.journal, model).event_count)
    services.journal.append(batch_stream(batch), ids.earlier_versions(model), now)
    return read_batch(services.journal, batch).earlier_versions_as_of[model]


def _parent(attempt: Attempt) -> dict[str, Any]:
    return {
        "model": attempt.model,
        "dataset": attempt.dataset,
        "parent_version": attempt.parent_version,
        "parent_digest": attempt.parent_digest,
        "forget_count": attempt.forget_count,
        "forget_digest": attempt.forget_digest,
    }
