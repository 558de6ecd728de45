"""The sentences of the erasure report: what became of a batch and of each of its models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tasks.report.batch_facts import BatchFacts
from tasks.report.check_answers import answer_of
from tasks.report.model_facts import ModelFacts, RungFacts
from tasks.report.shares import in_hundred, points
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate import GateDecision
from unlearning.gate.gate_checks import Check
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted
from unlearning.policy.digests import SHORT
from unlearning.policy.quality import holdout_fall

Tone = Literal["done", "reserved", "open", "idle"]
RUNG = {"update": "Update", "stronger": "Stronger update", "retrain": "Retrain"}


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader in a hurry must know."""

    tone: Tone
    title: str
    text: str


def batch_headline(facts: BatchFacts) -> Headline:
    """What became of the batch."""
    return _BATCH[facts.state](facts)


def model_headline(model: ModelFacts) -> Headline:
    """What became of the model."""
    if model.state == "promoted":
        head, evidence = _promoted(model), model.last.evidence
        fell = holdout_fall(evidence) if evidence else ""
        return replace(head, text=f"{head.text} {fell}".rstrip())
    if model.state == "withdrawn":
        text = f"No candidate passed the gate, so that nobody is served by it now. {model.reason}"
        return Headline("reserved", "Taken out of service", text)
    if model.state == "blocked":
        text = f"The version in service is unchanged. {model.reason}"
        return Headline("open", "Not forgotten yet", text)
    text = "The update is planned. No version was promoted yet; the one in service is unchanged."
    return Headline("open", "Not forgotten yet", text)


def rung_result(model: ModelFacts, rung: RungFacts) -> str:
    """What came of one rung; why the next was tried is said there."""
    if rung.decision is None:
        said = f"Led nowhere: {rung.failure}" if rung.failure else "Not judged."
        return f"{said} It was not retrained: {rung.obstacle}" if rung.obstacle else said
    failed = [_question(check) for check in rung.decision.checks if not check.passed]
    if rung.decision.passed:
        said = "Passed the gate"
        if failed and is_exact(rung.attempt.method):
            said += f" (on too few rows to tell: {' '.join(failed)})"
        elif rung.decision.outcome == "nothing left to see":
            said = "Passed the gate: nothing was left to see of these rows"
        elif failed:
            said = "Accepted although the test cannot decide"
        is_last = rung is model.last and model.version is not None
        return f"{said}; it became version {model.version}." if is_last else f"{said}."
    outcome = rung.decision.outcome
    why = "" if outcome == "forgotten" else f" ({outcome})"
    said = f"Did not pass{why}. Failed: {' '.join(failed)}"
    return f"{said} It was not retrained: {rung.obstacle}" if rung.obstacle else said


def further_answers(evidence: Evidence) -> list[str]:
    """What was asked besides and is not judged, each in one sentence."""
    probes, said = evidence.probes, list[str]()
    for other in evidence.forgetting.others:
        before, after = in_hundred(other.before, other.after), in_hundred(other.after, other.before)
        said.append(
            f"The attack “{other.attack}”, which is weaker on this model, is right {after} times "
            f"in 100; before, {before} times. Guessing: 50."
        )
    if evidence.small_slices:
        said.append(
            f"{evidence.small_slices} slices have too few rows that it never saw for the gate to "
            "judge them."
        )
    if probes.threshold_advantage is not None:
        gain, error = probes.threshold_advantage.value, probes.threshold_advantage.error
        said.append(
            f"The best single limit on the loss names {points(gain)} in 100 "
            f"{'fewer' if gain < 0 else 'more'} forget rows than unseen rows "
            f"(± {points(error)}). Forgotten: none."
        )
    if probes.shadow_auc is not None:
        right = in_hundred(probes.shadow_auc.value)
        said.append(f"The attack with shadow models is right {right} times in 100. Guessing: 50.")
    if probes.relearning_speed is not None:
        speed = f"{probes.relearning_speed:.1f} times as fast as unseen rows"
        said.append(f"Forget rows are learned again {speed}. Forgotten: 1.")
    elif why := probes.no_relearning:
        said.append(f"Whether it learns forget rows faster was not asked. {why}")
    if probes.distance_to_retrained is not None:
        said.append(
            "Its answers differ from those of a retrained model by "
            f"{points(probes.distance_to_retrained)} in 100. Alike: 0."
        )
    return said


def _promoted(model: ModelFacts) -> Headline:
    decision, method = model.last.decision, model.last.attempt.method
    if decision is None or model.last.troubles:
        text = f"Version {model.version} serves, but {_lower(model.last.troubles[0])}"
        return Headline("reserved", "Replaced; part of the evidence is missing", text)
    if not decision.passed:
        text = f"Version {model.version} serves although the gate did not pass it; look into it."
        return Headline("open", "Replaced by a version that did not pass", text)
    if is_exact(method):
        by = f" by its owner's recipe ({model.recipe[:SHORT]})" if model.recipe else ""
        trained = f"It was trained anew{by} on the rows that stay"
        text = f"{trained}. What it never saw it cannot remember."
        if model.kept:
            kept = counted(len(model.kept), "tensor")
            text = f"{trained}, but kept {kept} of the one before."
            return Headline("reserved", "Retrained without the rows, but for some tensors", text)
        return Headline("done", "Retrained without the rows", text)
    return _measured(decision)


def _measured(decision: GateDecision) -> Headline:
    """What the gate found of an update that passed."""
    if decision.outcome == "forgotten":
        text = "The attack no longer tells the forget rows from rows that the model never saw."
        return Headline("done", "Forgotten, as far as the attack can see", text)
    if decision.outcome == "nothing left to see":
        text = (
            "Neither of the old version nor of the new one does any attack tell these rows from "
            "new ones better than the policy calls nothing, and the attack works on this model."
        )
        return Headline("done", "Nothing is left to see", text)
    failed = " ".join(_question(c) for c in decision.checks if not c.passed)
    text = (
        f"The test cannot decide (failed: {failed}), and the policy of this model accepts that. "
        "That is no proof of forgetting."
    )
    return Headline("reserved", "Replaced; whether it forgot cannot be told", text)


def _erased(facts: BatchFacts) -> Headline:
    count = facts.counts.get("erased", 0)
    heads = [model_headline(model) for model in facts.models]
    title = f"Erased: the rows of {f'{count:,} deletion requests' if count > 1 else 'one request'}"
    gone = "" if facts.is_out_of_reach else "They are gone from the tables. "
    text = f"{gone}Every request has its certificate."
    reserved = [
        f"Model {model.name}: {_lower(head.title)}."
        for model, head in zip(facts.models, heads, strict=True)
        if head.tone != "done"
    ]
    if unsure := facts.counts.get("cannot_tell"):
        reserved.append(f"{counted(unsure, 'request')} got no sure answer: see the certificates.")
    if reserved or facts.reservations:
        title, said = f"{title}, with a reservation", [*reserved, *facts.reservations]
        return Headline("reserved", title, " ".join([text, *said]))
    if not facts.models:
        return Headline("done", title, f"{text} {_untried(facts)}")
    models = "The model" if len(facts.models) == 1 else f"All {len(facts.models)} models"
    passed = "was replaced by a version" if len(facts.models) == 1 else "were replaced by versions"
    return Headline("done", title, f"{text} {models} {passed} that passed the gate.")


def _untried(facts: BatchFacts) -> str:
    if facts.forgotten_earlier:
        return f"Forgotten in an earlier batch: {', '.join(facts.forgotten_earlier)}."
    return "No model in service was trained on them."


def _not_found(_: BatchFacts) -> Headline:
    text = "Each request has a certificate of what was searched, and for what."
    return Headline("idle", "No row under these ids was found", text)


def _cannot_tell(facts: BatchFacts) -> Headline:
    if facts.is_out_of_reach:
        said = " ".join([*facts.reservations, "The certificates say what models forgot."])
        return Headline("open", "No row was erased", said)
    text = "Not all tables and models could be searched; the certificates name what was not."
    return Headline("open", "No row was found, but nobody can tell whether there are any", text)


def _nothing(_: BatchFacts) -> Headline:
    text = "No request of this batch could be carried out; the counts say why."
    return Headline("idle", "Nothing to erase", text)


def _waiting(facts: BatchFacts) -> Headline:
    text = (
        f"{' '.join(facts.questions)} Answer with: expunge approve {facts.batch} --by NAME, or "
        f"expunge reject {facts.batch} --by NAME --reason TEXT."
    )
    return Headline("open", "Nothing erased yet: the batch waits for approval", text)


def _rejected(facts: BatchFacts) -> Headline:
    name, reason = (facts.answer.name, facts.answer.reason) if facts.answer else ("Somebody", "")
    text = (
        f"{name} rejected the batch: {reason.rstrip('.')}. The requests stay open until somebody "
        "approves; a valid request must be answered."
    )
    return Headline("open", "Nothing erased: the batch was rejected", text)


def _blocked(facts: BatchFacts) -> Headline:
    names = " and ".join(model.name for model in facts.models if model.state == "blocked")
    text = (
        f"No candidate for {names} passed. Nothing was erased from the tables, and the requests "
        "stay open. Enrol the model with another way of unlearning, with another policy, or in a "
        "version that was trained anew on a copy of its table without these people, on that copy; "
        "then run again."
    )
    return Headline("open", "Not erased yet: a model did not pass the gate", text)


def _open(_: BatchFacts) -> Headline:
    text = "The batch stopped on its way. The next run continues where it stopped."
    return Headline("open", "Not finished", text)


def _question(check: Check) -> str:
    return answer_of(check, None).question


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_BATCH: Mapping[str, Callable[[BatchFacts], Headline]] = {
    "erased": _erased,
    "not_found": _not_found,
    "cannot_tell": _cannot_tell,
    "nothing": _nothing,
    "waiting": _waiting,
    "rejected": _rejected,
    "blocked": _blocked,
    "open": _open,
}
