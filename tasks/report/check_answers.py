"""The gate's checks as questions and answers, for people who read no statistics."""

from dataclasses import dataclass

from tasks.report.forgetting_words import FORGETTING
from tasks.report.saying import within_limits
from tasks.report.utility_words import UTILITY
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate_checks import Check

_WORDS = {**UTILITY, **FORGETTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """One check of the gate as a person reads it."""

    name: str
    """The check's own name."""
    question: str
    sentence: str
    measured: str
    accepted: str
    passed: bool


def answer_of(check: Check, evidence: Evidence | None) -> CheckAnswer:
    """The check in plain words; one that is unknown here speaks by its own `meaning`.

    Args:
        check: Of the gate's decision.
        evidence: What it judged; None if that is lost, so that only the check itself can speak.
    """
    question, say = _WORDS.get(check.name, (check.name.replace("_", " ").capitalize(), None))
    if check.value is None:
        sentence = "This number is missing, so that nothing was shown, and that never passes."
    elif say is None or evidence is None:
        sentence = within_limits(check)
    else:
        sentence = say(check, check.value, evidence)
    return CheckAnswer(
        name=check.name,
        question=question,
        sentence=sentence,
        measured="missing" if check.value is None else _number(check.value),
        accepted=_accepted(check),
        passed=check.passed,
    )


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.3f}"


def _accepted(check: Check) -> str:
    low, high = check.lower, check.upper
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    if low is not None:
        return f"at least {_number(low)}"
    return "any" if high is None else f"at most {_number(high)}"
