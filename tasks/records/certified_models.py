"""What a certificate says of models: what each did to forget, and which ones are out of service."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.versions.old_versions import earlier
from unlearning.policy.budget import is_exact


@dataclass(frozen=True, slots=True)
class CertifiedModel:
    """One model's part in the answer to some requests."""

    facts: dict[str, Any]
    records: frozenset[str] | None = None
    """The requests that it answers; None for all that no other part on this model answers."""


def note_out_of_service(services: Services, batch: str, table: str) -> None:
    """Record models of this table that were out of service before: their weights may remember."""
    for enrollment in enrolled_models(services.journal):
        if not enrollment.is_withdrawn or enrollment.dataset.uri != table:
            continue
        by = _withdrawn_by(services, enrollment.model)
        if by == batch:
            continue
        facts = {
            "model": enrollment.model,
            "dataset": table,
            "parent_version": enrollment.version,
            "parent_digest": enrollment.digest,
            "withdrawn_by": by,
        }
        entry = journal.Entry(
            batches.stream(batch), f"{enrollment.model}/out-of-service", "ModelOutOfService", facts
        )
        services.journal.append(entry)


def why_out_of_service(facts: dict[str, Any]) -> str:
    """What took the model out of service, as it goes on after the model's name."""
    if facts["withdrawn_by"]:
        return f"was withdrawn by batch {facts['withdrawn_by']}"
    return "lost its alias, since no version of it without erased subjects was left"


def certified_models(services: Services, batch: str) -> list[CertifiedModel]:
    """Every model's part, from what the batch and those before it recorded.

    Until when earlier versions exist is said as of the first call, which is recorded: they may be
    retired at any moment after that.
    """
    events = services.journal.read(batches.stream(batch))
    # The latest promotion of each model counts: an earlier one may have been overtaken.
    promoted = {e.facts["model"]: e.facts for e in events if e.name == "ChampionPromoted"}
    withdrawn = {e.facts["model"]: e.facts for e in events if e.name == "ModelWithdrawn"}
    parts = [_promoted(events, facts) for facts in promoted.values()]
    parts += [_withdrawn(events, facts) for facts in withdrawn.values()]
    found = [CertifiedModel(_with_earlier(services, part, batch, batch)) for part in parts]
    for event in events:
        if event.name == "ForgottenBefore":
            found.append(_earlier(services, event.facts, batch))
        elif event.name == "ModelOutOfService":
            found.append(CertifiedModel(_out_of_service(event.facts)))
    return found


def models_for(
    found: Sequence[CertifiedModel], record: str, tables: Collection[str]
) -> list[dict[str, Any]]:
    """What stands of models in the certificate of one request with rows in these tables."""
    mine = [one for one in found if one.facts["dataset"] in tables]
    earlier = [one.facts for one in mine if one.records is not None and record in one.records]
    answered = {facts["model"] for facts in earlier}
    return earlier + [
        one.facts for one in mine if one.records is None and one.facts["model"] not in answered
    ]


def _promoted(events: list[journal.Event], promoted: dict[str, Any]) -> dict[str, Any]:
    by_id = {e.id: e.facts for e in events}
    attempt = promoted["attempt"]
    plan, evaluated = by_id[f"{attempt}/planned"], by_id[f"{attempt}/evaluated"]
    judged, made = by_id[f"{attempt}/judged"], by_id.get(f"{attempt}/unlearned", {})
    # Records of older releases know no outcome, no rung and no attack.
    return {
        **_parent(plan),
        "version": promoted["version"],
        "digest": promoted["digest"],
        "outcome": judged.get("outcome", "passed the gate of an older release"),
        "method": plan["method"],
        "is_exact": is_exact(plan["method"]),
        "kept_from_parent": made.get("kept_from_parent", []),
        "rung": plan.get("rung", "update"),
        "reason": plan.get("reason", ""),
        "config_digest": plan["config_digest"],
        "before": evaluated["before"],
        "after": evaluated["after"],
        "forgetting": _shared(evaluated.get("forgetting", {})),
        **_control(evaluated.get("probes", {})),
        **_not_shown(plan["method"], judged["checks"]),
        "checks": [_check(one) for one in judged["checks"]],
    }


def _check(check: dict[str, Any]) -> dict[str, Any]:
    """A check as it was judged; what it would have meant to fail only where it did."""
    return {k: v for k, v in check.items() if k != "meaning" or not check["passed"]}


def _control(probes: dict[str, Any]) -> dict[str, str]:
    """Why no canaries tried the attack in this run, if that is so."""
    reason = probes.get("no_canaries", "")
    return {"no_control": f"No control was possible. {reason}"} if reason else {}


def _not_shown(method: str, checks: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Checks of a retrain that failed on too few rows and held up nothing, if there are any."""
    failed = [one["name"] for one in checks if not one["passed"]] if is_exact(method) else []
    return {"not_shown": failed} if failed else {}


def _shared(forgetting: dict[str, Any]) -> dict[str, Any]:
    """What every requester of the batch may read: nothing of single rows."""
    single = ("row_percentiles", "own", "pooled")
    return {name: value for name, value in forgetting.items() if name not in single}


def _withdrawn(events: list[journal.Event], facts: dict[str, Any]) -> dict[str, Any]:
    """A model that nobody serves any more, since it could not be made to forget."""
    by_id = {e.id: e.facts for e in events}
    plan = by_id[f"{facts['attempt']}/planned"]
    return {**_parent(plan), "outcome": "withdrawn", "reason": facts["reason"]}


def _earlier(services: Services, facts: dict[str, Any], batch: str) -> CertifiedModel:
    """A promotion by an earlier batch, which another model of it had kept from being erased."""
    events = services.journal.read(batches.stream(facts["batch"]))
    promoted = next(e.facts for e in events if e.id == f"{facts['attempt']}/promoted")
    part = {**_promoted(events, promoted), "in_batch": facts["batch"]}
    part = _with_earlier(services, part, facts["batch"], batch)
    return CertifiedModel(part, frozenset(facts["records"]))


def _with_earlier(
    services: Services, part: dict[str, Any], left_with: str, batch: str
) -> dict[str, Any]:
    """With the versions before, which remember until they are purged what left with a batch."""
    model = part["model"]
    now = {"model": model, "as_of": len(services.journal.read(model_stream(model)))}
    key = f"{model}/earlier-versions"
    entry = journal.Entry(batches.stream(batch), key, "EarlierVersionsStated", now)
    as_of = services.journal.append(entry).facts["as_of"]
    return {**part, "earlier_versions": earlier(services, model, left_with, as_of=as_of)}


def _out_of_service(facts: dict[str, Any]) -> dict[str, Any]:
    reason = (
        f"It {why_out_of_service(facts)}, and nobody serves it; its weights were not made to "
        "forget these rows."
    )
    named = {name: value for name, value in facts.items() if name != "withdrawn_by"}
    return {**named, "outcome": "out of service", "reason": reason}


def _withdrawn_by(services: Services, model: str) -> str:
    """The batch that took the model out of service; empty if it was the floor."""
    events = services.journal.read(model_stream(model))
    ends = [e for e in events if e.name in ("ModelWithdrawn", "FloorLost")]
    return ends[-1].facts.get("batch", "")


def _parent(plan: dict[str, Any]) -> dict[str, Any]:
    names = ("model", "dataset", "parent_version", "parent_digest", "forget_count", "forget_digest")
    return {name: plan[name] for name in names}
