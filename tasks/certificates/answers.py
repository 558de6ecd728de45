"""What a request is told in one line: each part rests on an effect that was recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unlearning.policy.counted import counted, named


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A table where nothing was erased for a request that was found in it."""

    table: str
    rows: int = 0
    """Rows that a search counted there; 0 if only what weights learned names the subject."""
    closed_by: str = ""
    """Who closed it; empty if it could not be opened when its rows were to be erased."""

    @property
    def clause(self) -> str:
        """That the rows there were left alone, and why."""
        why = f"{self.closed_by} closed" if self.closed_by else "could not be opened"
        if self.rows:
            lost = f"{counted(self.rows, 'row')} in {self.table} not erased"
            return f"{lost}, for {f'{why} it' if self.closed_by else f'it {why}'}"
        return f"nothing erased in {self.table}, which {why}: rows may still be there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was recorded for one request with rows in a table."""

    rows: int
    """Rows that were erased from the tables."""
    out_of_reach: Sequence[OutOfReach] = ()
    """Tables that were closed, or could not be opened, when their rows were to be erased."""
    is_reached: bool = True
    """Whether any table was erased from, or purged of old files, for the request."""
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
    left = [one.clause for one in answer.out_of_reach]
    if not answer.is_reached:
        return left
    if answer.rows:
        return [f"{counted(answer.rows, 'row')} erased", *left]
    if answer.is_erased_meanwhile:
        return ["the rows were erased with another request of the same person", *left]
    return ["others had deleted the rows before; purged from the files", *left]


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
