"""The checks of the gate, by letting it judge sample evidence with the default policy."""

from collections.abc import Iterator
from dataclasses import replace

from sample_evidence import FORGOTTEN, NUMBER_ERROR, few

from docs.generate.tables import code, table
from tasks.certificates.limits import LIMITS
from tasks.report.check_answers import answer_of
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Evidence, Pool, Probes, SliceLoss
from unlearning.gate.gate import decide, no_candidate
from unlearning.gate.gate_checks import Check


def page() -> str:
    """One line for each check, in the order that the gate asks."""
    rows = [
        (code(check.name), answer_of(check, None).question, check.meaning) for check in all_checks()
    ]
    return table(("check", "question", "what a failure means"), rows)


def not_proven() -> str:
    """What certificates say that they do not show, and where each says it."""
    return table(("what is not shown", "said if"), [(one.sentence, one.when) for one in LIMITS])


def all_checks() -> list[Check]:
    """Every check that the gate can make, once each."""
    found: dict[str, Check] = {}
    for evidence in _samples():
        for check in decide(evidence, GatePolicy()).checks:
            found.setdefault(check.name, check)
    missing = no_candidate("No candidate could be made or measured; the reason is given.")
    return [*missing.checks, *found.values()]


def _samples() -> Iterator[Evidence]:
    """Evidence with slices; of few rows, with earlier batches or without; without canaries."""
    loss = SliceLoss(rows=100, value=0.0, certain=0.0, possible=0, column="region", group="north")
    yield replace(FORGOTTEN, slice_accuracy_loss=loss)
    yield replace(FORGOTTEN, holdout_error=NUMBER_ERROR)
    alone = few(4)
    pool = Pool(count=300, before=195.0, after=150.0, variance=1e-4)
    pooled = replace(alone.forgetting, pooled=pool, pooled_upper=0.55, pooled_power=0.97)
    yield replace(alone, forgetting=pooled)
    yield few(40)
    yield replace(FORGOTTEN, probes=Probes(no_canaries="The holdout has too few rows."))
