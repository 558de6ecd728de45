"""The rules for a deletion request, as expectations that Great Expectations checks row by row."""

import logging
from collections.abc import Collection, Iterator
from typing import Any

import pandas as pd

from tasks.intake.legal_holds import SUBJECT_ID
from tasks.intake.request_files import FIELDS
from unlearning.errors import EvidenceError

GROUNDS = ["a", "b", "c", "d", "e", "f"]
REQUEST_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
HELD = "a legal hold names the subject"
ON_RECORD = "a request with this request_id is already on record"
WITHDREW = (
    "repeats a request that somebody withdrew; if it is to be answered after all, send it under a "
    "request_id of its own"
)
USED = "request_id is already used for another subject; send the request under one of its own"
_ELSEWHERE = "subject_kind (person if not given) must be one that a table is enrolled with: {}"
_OF_NO_TYPE = (
    "subject_id is none in any spelling: ids of its kind are a whole number in every table"
)
_NOBODY = "subject_id stands for an empty cell, such as NULL or #REF!, and is no id in a table"
_MISSING = "{} is missing, or neither text nor a whole number"

Rule = tuple[Any, str]
"""An expectation, and why a row that fails it is refused."""


def suite(kinds: Collection[str] = ()) -> list[tuple[Any, str, str]]:
    """Every expectation with the outcome and reason of a row that fails it; first failure wins.

    `kinds` are those of the subjects in the tables.
    """
    there = ", ".join(sorted(kinds)) or "those of `expunge status`"
    elsewhere = (_true("kind_known"), _ELSEWHERE.format(there))
    of_id = [elsewhere, (_true("fits_type"), _OF_NO_TYPE), (_true("names_somebody"), _NOBODY)]
    unusable = [*_of_row(), *of_id, *_of_facts(), (_true("one_subject"), USED)]
    return [
        *((expectation, "quarantined", reason) for expectation, reason in unusable),
        (_true("first_of_id"), "duplicate", ON_RECORD),
        (_true("not_held"), "on_hold", HELD),
    ]


def _of_row() -> list[Rule]:
    return [
        (_true("readable"), "the row cannot be read"),
        (_true("known_fields"), f"has a field other than {', '.join(FIELDS)}"),
        (_given("request_id"), _MISSING.format("request_id")),
        (
            _matching("request_id", REQUEST_ID),
            "request_id must be 1-64 letters, digits, dots, dashes or underscores",
        ),
        (_given("subject_id"), _MISSING.format("subject_id")),
        (
            _matching("subject_id", SUBJECT_ID),
            "subject_id must be 1-256 printable characters without spaces around them",
        ),
        (_true("ids_apart"), "request_id contains the subject_id; use a case number"),
    ]


def _of_facts() -> list[Rule]:
    return [
        (_given("received_at"), "received_at is missing"),
        (
            _true("received_readable"),
            "received_at is not a date and time with time zone (ISO 8601)",
        ),
        (_true("received_past"), "received_at lies in the future"),
        (_true("received_since_law"), "received_at lies before the GDPR applied (2018-05-25)"),
        (_among("ground", GROUNDS), "ground must be one of a to f, as in Art. 17(1)"),
    ]


def _true(column: str) -> Any:
    return _among(column, [True])


def _among(column: str, values: list[Any]) -> Any:
    from great_expectations import expectations

    return expectations.ExpectColumnValuesToBeInSet(column=column, value_set=values)


def _given(column: str) -> Any:
    from great_expectations import expectations

    return expectations.ExpectColumnValuesToNotBeNull(column=column)


def _matching(column: str, pattern: str) -> Any:
    from great_expectations import expectations

    return expectations.ExpectColumnValuesToMatchRegex(column=column, regex=pattern)


def failures(
    frame: pd.DataFrame, kinds: Collection[str] = ()
) -> Iterator[tuple[str, str, list[int]]]:
    """(outcome, reason, failing rows) per expectation, in the order of the suite.

    The frame has the columns of `tasks.intake.columns.columns`, and the number of each row.

    Raises:
        EvidenceError: an expectation was not evaluated, so that nobody can say which rows fail it.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    expectations = suite(kinds)
    # It names its temporary directory at INFO, and sets that level itself on import, right there.
    for name in ("great_expectations", ProgressBarsConfig.__module__):
        logging.getLogger(name).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("requests")
        .add_dataframe_asset("batch")
        .add_batch_definition_whole_dataframe("rows")
        .get_batch(batch_parameters={"dataframe": frame})
    )
    checks = gx.ExpectationSuite(name="deletion-requests")
    for rank, (expectation, _, _) in enumerate(expectations):
        # Results come back regrouped by column, so each carries its rank with it.
        expectation.meta = {"rank": rank}
        checks.add_expectation(expectation)
    result = batch.validate(
        checks,
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]},
    )
    found = {_rank(r): r for r in result.results}
    for rank, (_, outcome, reason) in enumerate(expectations):
        yield outcome, reason, _failing_rows(found.get(rank), rank)


def _rank(result: Any) -> int:
    return result.expectation_config.meta["rank"]


def _failing_rows(result: Any, rank: int) -> list[int]:
    if result is None or "element_count" not in result.result:
        raise EvidenceError(f"Expectation {rank} of the request suite was not evaluated.")
    listed = result.result.get("unexpected_index_list") or []
    return [int(item["row"]) for item in listed]
