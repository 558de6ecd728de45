"""The erasure report: one self-contained page per batch for people, without subject ids."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from tasks.intake.batches import report_key
from tasks.registry.services import Services
from tasks.report.batch_facts import BatchFacts, batch_facts
from tasks.report.check_answers import CheckAnswer, answer_of
from tasks.report.figures import figures
from tasks.report.forgetting_words import power_sentence
from tasks.report.model_facts import ModelFacts, RungFacts
from tasks.report.pictures import pictures
from tasks.report.sentences import (
    RUNG,
    batch_headline,
    further_answers,
    model_headline,
    rung_result,
)
from tasks.report.shares import in_hundred
from tasks.report.utility import utility_lines, utility_sentences
from tasks.store.objects import MissingObjectError
from unlearning.gate.gate_checks import Check
from unlearning.policy.budget import is_exact
from unlearning.policy.deletion import STATUS_MEANING
from unlearning.policy.few_people import CHECKS, WITHHELD

_TEMPLATE = Path(__file__).with_name("report.html")


def write_report(services: Services, batch: str) -> BatchFacts:
    """Write the page as the batch stands now, unless it is there already; returns what it tells."""
    facts = batch_facts(services, batch)
    key, page = report_key(batch), render_erasure(facts).encode()
    try:
        is_there = services.store.get(key) == page
    except MissingObjectError:
        is_there = False
    if not is_there:
        services.store.put(key, page)
    return facts


def render_erasure(facts: BatchFacts) -> str:
    """The page as HTML; the same facts give the same bytes."""
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["hundred"] = in_hundred
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        facts=facts,
        headline=batch_headline(facts),
        meaning=STATUS_MEANING,
        models=[_model(model) for model in facts.models],
        not_proven=facts.limits,
    )


def report_figures(facts: BatchFacts) -> dict[str, Any]:
    """The figures of every model's deciding candidate, by path, for who wants them as files."""
    return {
        f"{model.name}/{name}": figure
        for model in facts.models
        if model.last.curves is not None
        for name, figure in figures(model.last.curves).items()
    }


def _model(model: ModelFacts) -> dict[str, Any]:
    """What the template says of one model."""
    last = model.last
    return {
        "facts": model,
        "headline": model_headline(model),
        "attempt": last.attempt,
        "is_exact": is_exact(last.attempt.method),
        "not_shown": _not_shown(last),
        "rungs": [_rung(model, rung) for rung in model.rungs],
        "is_of_few": last.attempt.is_of_few,
        "withheld": WITHHELD,
        "checks": [_answer(last, check) for check in _checks(last)],
        "evidence": last.evidence and asdict(last.evidence),
        "utility": utility_lines(last.evidence) if last.evidence else [],
        "utility_notes": utility_sentences(last.evidence) if last.evidence else [],
        "power": power_sentence(last.evidence, _checks(last)) if last.evidence else "",
        "further": _further(last),
        "percentiles": _percentiles(last),
        "pictures": pictures(last.curves) if last.curves else [],
        "troubles": [one for rung in model.rungs for one in rung.troubles],
    }


def _answer(rung: RungFacts, check: Check) -> CheckAnswer:
    said = answer_of(check, rung.evidence)
    if rung.attempt.is_of_few and check.name in CHECKS:
        return replace(said, sentence=WITHHELD, measured="withheld")
    return said


def _further(rung: RungFacts) -> list[str]:
    if rung.evidence is None or rung.attempt.is_of_few:
        return []
    return further_answers(rung.evidence)


def _checks(rung: RungFacts) -> tuple[Check, ...]:
    return rung.decision.checks if rung.decision else ()


def _not_shown(rung: RungFacts) -> tuple[str, ...]:
    """Checks of a retrain that failed on too few rows; weak evidence of an update is a failure."""
    if rung.decision is None or not is_exact(rung.attempt.method):
        return ()
    return rung.decision.not_shown


def _rung(model: ModelFacts, rung: RungFacts) -> dict[str, Any]:
    name, method = rung.attempt.rung, rung.attempt.method
    return {
        "name": RUNG.get(name, name),
        "method": "" if method == name else method.replace("_", " "),
        "reason": rung.attempt.reason or "As the model's enrolment says.",
        "result": rung_result(model, rung),
    }


def _percentiles(rung: RungFacts) -> list[tuple[float | None, float]]:
    """Sorted percentiles before and after; before is None where no curves are left."""
    if rung.evidence is None or rung.attempt.is_of_few:
        return []
    after = rung.evidence.forgetting.row_percentiles
    if rung.curves is None:
        return [(None, one) for one in after]
    return list(zip(rung.curves.percentiles_before, after, strict=True))
