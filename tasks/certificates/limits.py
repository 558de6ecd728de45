"""What a certificate does not show: each limit is said where it applies, and only there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a certificate or a report says, as far as its limits depend on it."""

    is_found: bool
    """Whether rows of a person were found in a table."""
    is_erased: bool = False
    """Whether rows were erased from a table."""
    is_partly_by_words: bool = False
    """Whether some ids were looked for in the subject column alone: no word of bytes is theirs."""
    is_partly_searched: bool = False
    """Whether folders below a table were left alone, as an enrolment says."""
    has_strangers: bool = False
    """Whether models name a table that were never enrolled, or nobody could look for them."""
    is_gone: bool = False
    """Whether a table with rows was closed, or no more, when they were to be erased."""
    are_spellings_sought: bool = False
    """Whether ids of nearly the same spelling were looked for, and none was found."""
    is_settled: bool = False
    """Whether a person said that exactly the id of the request is meant, and none like it."""
    objects: Sequence[dict[str, Any]] = ()
    """What is stated of objects that rows pointed to, by prefix."""
    may_point: bool = False
    """Whether a column of a table was declared to hold addresses of objects."""
    models: Sequence[dict[str, Any]] = ()
    """What is stated of each model."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that is not shown."""

    sentence: str
    when: str
    """Where it is said, in words."""
    applies: Callable[[Ground], bool]


def not_proven(ground: Ground) -> list[str]:
    """The limits of what these facts show, a sentence each."""
    return [limit.sentence for limit in LIMITS if limit.applies(ground)]


def _always(_: Ground) -> bool:
    return True


def _has(test: Callable[[dict[str, Any]], object]) -> Callable[[Ground], bool]:
    """Whether this holds for a model that is stated."""
    return lambda ground: any(test(one) for one in ground.models)


def _is_update(model: dict[str, Any]) -> bool:
    return "method" in model and not model["is_exact"]


LIMITS = (
    Limit(
        "Approximate unlearning is not retraining: other attacks may still find traces of the "
        "rows.",
        "a model was updated",
        _has(_is_update),
    ),
    Limit(
        "Forgetting was judged on the average of all rows: single rows may be less forgotten.",
        "a model was updated",
        _has(_is_update),
    ),
    Limit(
        "A model whose outcome is 'cannot decide' passed because its policy accepts that.",
        "a model has that outcome",
        _has(lambda model: "method" in model and model["outcome"] == "cannot decide"),
    ),
    Limit(
        "A model whose outcome is 'nothing left to see' may have changed little: how little any of "
        "the attacks could see of the rows, before and after, is what was shown.",
        "a model has that outcome",
        _has(lambda model: "method" in model and model["outcome"] == "nothing left to see"),
    ),
    Limit(
        "The gate that judged a model with gate_was_wider lets pass more than it does by default.",
        "a model has gate_was_wider",
        _has(lambda model: "gate_was_wider" in model),
    ),
    Limit(
        "Holdout rows that a model learned from, see holdout_was_learned, are no evidence of what "
        "it never saw.",
        "a model has holdout_was_learned",
        _has(lambda model: "holdout_was_learned" in model),
    ),
    Limit(
        "A model with no_control had no rows planted to see whether the attack would notice a "
        "failure.",
        "a model has no_control",
        _has(lambda model: "no_control" in model),
    ),
    Limit(
        "Rows of this request were judged together with rows of earlier requests.",
        "a model has judged_with_earlier_rows",
        _has(lambda model: "judged_with_earlier_rows" in model),
    ),
    Limit(
        "A retrained model was not asked what it remembers: it never read the rows.",
        "a model was retrained",
        _has(lambda model: model.get("is_exact")),
    ),
    Limit(
        "A retrained model kept the tensors under kept_from_parent from the one before.",
        "a model has kept_from_parent",
        _has(lambda model: model.get("kept_from_parent")),
    ),
    Limit(
        "A model was trained by its owner's recipe: what that brings along, in its own code or in "
        "installed packages, was not looked at.",
        "a model has trained_by",
        _has(lambda model: model.get("trained_by")),
    ),
    Limit(
        "A model that is withdrawn or out of service may still remember the rows in its weights.",
        "a model is withdrawn or out of service",
        _has(lambda model: model["outcome"] in ("withdrawn", "out of service")),
    ),
    Limit(
        "A model that was 'not asked' had been taken out by the person named in taken_out_by: it "
        "may still be served, and remember the rows.",
        "a model was taken out by a person",
        _has(lambda model: model["outcome"] == "not asked"),
    ),
    Limit(
        "Whoever could ask a model before and after may tell by the difference who was erased.",
        "a model was updated or retrained",
        _has(lambda model: "method" in model),
    ),
    Limit(
        "Earlier model versions remember the rows and exist at least until the days under "
        "earlier_versions; only the events VersionPurged in the models' journals prove their "
        "purge.",
        "a model has earlier_versions",
        _has(lambda model: model.get("earlier_versions")),
    ),
    Limit(
        "Versions of the models that were never enrolled, and copies under other names, were not "
        "asked what they remember.",
        "rows were found, and a model is stated",
        _has(lambda _: True),
    ),
    Limit(
        "Models that learned from a table and were never enrolled, see models_never_enrolled, were "
        "not asked: they may serve, and remember the rows.",
        "a model names the table and was never enrolled, or nobody could look for such models",
        lambda ground: ground.has_strangers,
    ),
    Limit(
        "Other columns of the tables were searched for the ids as stored, not inside compressed "
        "pages.",
        "rows were erased, and every id is a word",
        lambda ground: ground.is_erased and not ground.is_partly_by_words,
    ),
    Limit(
        "Other columns of the tables were not searched for ids that are short, plain numbers or "
        "more than one word; for all others as stored, not inside compressed pages.",
        "rows were erased, and not every id is a word",
        lambda ground: ground.is_erased and ground.is_partly_by_words,
    ),
    Limit(
        "The folders under not_searched hold what is not the table's own: they may hold copies of "
        "the rows, and were left alone.",
        "a table has folders under not_searched",
        lambda ground: ground.is_partly_searched,
    ),
    Limit(
        "Of the objects below a prefix only those were looked for to which the rows pointed, by "
        "columns declared with --objects, when they were erased: others that show the person, and "
        "copies, were not.",
        "a column was declared to hold addresses of objects",
        lambda ground: ground.may_point or bool(ground.objects),
    ),
    Limit(
        "There was nothing behind the addresses under objects_missing: whether those objects went "
        "before, or lie elsewhere, is not known.",
        "there was nothing behind an address",
        lambda ground: any(one.get("objects_missing") for one in ground.objects),
    ),
    Limit(
        "Objects under objects_shared were left as they are: rows of others point to them too.",
        "rows of others point to such an object",
        lambda ground: any(one["objects_shared"] for one in ground.objects),
    ),
    Limit(
        "A table whose outcome is 'gone' was closed, or could not be searched: what became of its "
        "rows and files is not known.",
        "a table with rows was closed, or no more",
        lambda ground: ground.is_gone,
    ),
    Limit(
        "Only the id as it was written in the request was looked for: rows under another spelling "
        "or another id were not found.",
        "no row was found, and other spellings were not looked for",
        lambda ground: not (ground.is_found or ground.are_spellings_sought or ground.is_settled),
    ),
    Limit(
        "Rows under another id were not found, nor rows whose id differs in more than case, "
        "Unicode form, blanks, signs around it and the way a number is written.",
        "no row was found, and none of nearly the same id",
        lambda ground: not ground.is_found and ground.are_spellings_sought,
    ),
    Limit(
        "There were rows of nearly the same id, or of the same id under another kind, when the "
        "request came, see spelling: none was erased for it, since a person said that exactly this "
        "id is meant; what became of them since is not said.",
        "a person settled the request",
        lambda ground: ground.is_settled,
    ),
    Limit(
        "Only what stands under tables_searched was searched: a model that learned from anything "
        "else, or from rows that were gone before, was not asked.",
        "no row was found",
        lambda ground: not ground.is_found,
    ),
    Limit(
        "Backups, exports and copies outside the stated tables and models were not looked at.",
        "always",
        _always,
    ),
    Limit("This file is not signed.", "always", _always),
)
"""Every limit, in the order in which it is said."""
