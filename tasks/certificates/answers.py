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
    """Rows in tables that were no more, or closed, when they were to be erased."""
    is_out_of_reach: bool = False
    """Whether the subject was in such a table, be it on record without a number of rows."""
    models: Sequence[dict[str, Any]] = ()
    """What the certificate states of each model."""
    nothing_left: Sequence[str] = ()
    """Models that had forgotten all of the batch's rows before."""
    is_erased_meanwhile: bool = False
    """Whether another batch of ours erased rows of the subject while this one waited."""
    unknown: Sequence[str] = ()
    """Models of these tables of which nothing was recorded."""

    @property
    def sentence(self) -> str:
        """The reason that stands with the request, in status, report and journal."""
        told = [clause for say in _MODELS for clause in say(self)]
        return "; ".join([*_rows(self), *(told or ["no model in service was trained on them"])])


_RETRAINED = "left out when MODELS was retrained"
_UPDATED = {
    "forgotten": "unlearned from MODELS",
    "nothing left to see": "after an update of MODELS nothing was left to see of them",
}
_JUDGED = "the update of MODELS was judged 'OUTCOME'"


def _rows(answer: Answer) -> list[str]:
    told = [f"{counted(answer.rows, 'row')} erased"] if answer.rows else []
    if answer.rows_out_of_reach:
        lost = counted(answer.rows_out_of_reach, "row")
        told.append(f"{lost} not erased, for the table was no more, or closed")
    elif answer.is_out_of_reach:
        told.append("nothing erased in a table that was no more, or closed")
    if not told and answer.is_erased_meanwhile:
        return ["the rows were erased with another request of the same person"]
    return told or ["others had deleted the rows before; purged from the files"]


def _made_to_forget(answer: Answer) -> list[str]:
    """Updates and retrains, each by what shows that it forgot; only then is it told so."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in answer.models:
        if "method" in one:
            said = _RETRAINED if one["is_exact"] else _UPDATED.get(one["outcome"], _JUDGED)
            when = f" in batch {one['in_batch']}" if "in_batch" in one else ""
            alike.setdefault((said.replace("OUTCOME", one["outcome"]), when), []).append(
                one["model"]
            )
    return [said.replace("MODELS", _models(m)) + when for (said, when), m in alike.items()]


def _remembering(answer: Answer) -> list[str]:
    said = {
        "withdrawn": "was withdrawn and still remembers",
        "out of service": "was out of service before and may still remember",
        "not asked": "was taken out before, was not asked, and may still remember",
    }
    found = [m for m in answer.models if m["outcome"] in said]
    return [f"{m['model']} version {m['parent_version']} {said[m['outcome']]}" for m in found]


def _former(answer: Answer) -> list[str]:
    names = [m["model"] for m in answer.models if m["outcome"] == "earlier versions"]
    return [f"learned by versions of {_models(names)} before the present one"] if names else []


def _nothing_left(answer: Answer) -> list[str]:
    names = answer.nothing_left
    return [f"nothing was left to forget in {_models(names)}"] if names else []


def _unknown(answer: Answer) -> list[str]:
    names = answer.unknown
    return [f"whether {_models(names)} learned from them is not on record"] if names else []


def _models(names: Sequence[str]) -> str:
    return named(names, "models")


_MODELS: tuple[Callable[[Answer], list[str]], ...] = (
    _made_to_forget,
    _nothing_left,
    _remembering,
    _former,
    _unknown,
)
