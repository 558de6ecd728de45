"""What a request is told in one line: each part rests on an effect that was recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unlearning.policy.counted import counted, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was recorded for one request with rows in a table."""

    rows: int
    """Rows that were erased from the tables."""
    rows_out_of_reach: int = 0
    """Rows in tables that were no more when they were to be erased."""
    models: Sequence[dict[str, Any]] = ()
    """What the certificate states of each model."""
    nothing_left: Sequence[str] = ()
    """Models that had forgotten all of the batch's rows before."""
    unknown: Sequence[str] = ()
    """Models of these tables of which nothing was recorded."""

    @property
    def sentence(self) -> str:
        """The reason that stands with the request, in status, report and journal."""
        told = [clause for say in _MODELS for clause in say(self)]
        return "; ".join([*_rows(self), *(told or ["no model in service was trained on them"])])


def _rows(answer: Answer) -> list[str]:
    told = [f"{counted(answer.rows, 'row')} erased"] if answer.rows else []
    if answer.rows_out_of_reach:
        lost = counted(answer.rows_out_of_reach, "row")
        told.append(f"{lost} not erased, for the table was no more")
    return told or ["others had deleted the rows before; purged from the files"]


def _updated(answer: Answer) -> list[str]:
    """Updates, by what the gate found: only one that was found to have forgotten is told so."""
    by_outcome: dict[str, list[str]] = {}
    for one in answer.models:
        if "method" in one and not one["is_exact"] and "in_batch" not in one:
            by_outcome.setdefault(one["outcome"], []).append(one["model"])
    unlearned = by_outcome.pop("forgotten", [])
    told = [f"unlearned from {_models(unlearned)}"] if unlearned else []
    return told + [f"the update of {_models(m)} was judged '{o}'" for o, m in by_outcome.items()]


def _retrained(answer: Answer) -> list[str]:
    models = [m["model"] for m in answer.models if m.get("is_exact") and "in_batch" not in m]
    return [f"left out when {_models(models)} was retrained"] if models else []


def _earlier(answer: Answer) -> list[str]:
    found = [m for m in answer.models if "in_batch" in m]
    return [f"judged '{m['outcome']}' by {m['model']} in batch {m['in_batch']}" for m in found]


def _remembering(answer: Answer) -> list[str]:
    said = {
        "withdrawn": "was withdrawn and still remembers",
        "out of service": "was out of service before and may still remember",
    }
    found = [m for m in answer.models if m["outcome"] in said]
    return [f"{m['model']} version {m['parent_version']} {said[m['outcome']]}" for m in found]


def _nothing_left(answer: Answer) -> list[str]:
    names = answer.nothing_left
    return [f"nothing was left to forget in {_models(names)}"] if names else []


def _unknown(answer: Answer) -> list[str]:
    names = answer.unknown
    return [f"whether {_models(names)} learned from them is not on record"] if names else []


def _models(names: Sequence[str]) -> str:
    return named(names, "models")


_MODELS: tuple[Callable[[Answer], list[str]], ...] = (
    _updated,
    _retrained,
    _earlier,
    _nothing_left,
    _remembering,
    _unknown,
)
