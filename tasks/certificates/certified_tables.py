"""What a certificate says of tables: where was searched, and what was done to rows found there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tasks.journal.events.batches import FilesPurged
from tasks.journal.events.objects import ObjectsErased
from tasks.journal.events.statements import ExamplesCleared, StrangersStated
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.histories.table import TableHistory
from tasks.subjects.matches import TableMatches


def search_of(match: TableMatches) -> dict[str, Any]:
    """Where was searched for whom: the column, its newest version, and those of models before."""
    return {
        "table": match.uri,
        "column": match.column,
        "version": match.version,
        "earlier_versions": list(match.snapshots),
        "rows": match.row_count,
    }


def erasure_of(uri: str, table: TableHistory) -> dict[str, Any]:
    """What was done in one table, its rounds as one; others may have written between them."""
    first, last = table.erased[0], table.erased[-1]
    matched = sum(one.rows_matched for one in table.erased)
    return {
        "table": uri,
        "version_before": first.version_before,
        "rows_before": first.rows_before,
        "rows_matched": matched,
        "rows_appended": last.rows_after - first.rows_before + matched,
        "version_after": last.version_after,
        "rows_after": last.rows_after,
        "rows_matched_after": last.rows_matched_after,
        "files_removed": sum(one.files_removed for one in table.purged),
        **_searched(table.purged[-1]),
    }


def examples_of(rounds: Sequence[ExamplesCleared]) -> dict[str, Any]:
    """Input examples of models that were compared with the rows; nothing if none was."""
    if not rounds:
        return {}
    last = rounds[-1]
    replaced = {(one.model, one.version): asdict(one) for r in rounds for one in r.replaced}
    return {
        "examples_compared": last.compared,
        "examples_replaced": [replaced[place] for place in sorted(replaced)],
        "examples_left": [asdict(one) for one in last.left],
        **({"examples_not_compared": last.why_not} if last.why_not else {}),
    }


def besides(uri: str, history: BatchHistory) -> dict[str, Any]:
    """What is said of a table beside what was done in it."""
    stated = history.stated
    return (
        objects_of(uri, history.objects)
        | examples_of(stated.examples.get(uri, []))
        | strangers_of(stated.strangers.get(uri))
    )


def objects_of(uri: str, rounds: Sequence[ObjectsErased]) -> dict[str, Any]:
    """What became of objects that rows of the batch pointed to; nothing if there were none."""
    stated = stated_objects(uri, rounds)
    return {"objects": stated} if stated else {}


def stated_objects(uri: str, rounds: Sequence[ObjectsErased]) -> list[dict[str, Any]]:
    """The same by prefix, the rounds of each as one."""
    mine = [one for one in rounds if uri in one.tables]
    by_prefix = {p: [o for o in mine if o.prefix == p] for p in sorted({o.prefix for o in mine})}
    return [
        {
            "prefix": prefix,
            "objects_erased": sum(one.erased for one in some),
            "objects_shared": sum(one.shared for one in some),
            "objects_missing": sum(one.missing for one in some),
            "objects_left_over": some[-1].left_over,
        }
        for prefix, some in by_prefix.items()
    ]


def strangers_of(stated: StrangersStated | None) -> dict[str, Any]:
    """Models that name the table and were never enrolled, so that nobody asked them; if any."""
    if stated is None or not (stated.versions or stated.why_not):
        return {}
    if stated.why_not:
        return {"models_never_enrolled_unknown": stated.why_not}
    return {"models_never_enrolled": [asdict(one) for one in stated.versions]}


def _searched(purged: FilesPurged) -> dict[str, Any]:
    """The last search of the table's folder for what should not be there."""
    return {
        "files_left_over": purged.leftover_files,
        "objects_searched": purged.objects_searched,
        "bytes_searched": purged.bytes_searched,
        "ids_searched": purged.ids_searched,
        "ids_searched_as_words": purged.ids_searched_as_words,
        "hits": purged.hits,
        "not_searched": list(purged.not_searched),
        **({"files_uncommitted": purged.uncommitted} if purged.uncommitted else {}),
    }


def by_words_in_part(tables: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some ids were looked for in the subject column of a table alone."""
    return any(one.get("ids_searched_as_words", 0) < one.get("ids_searched", 0) for one in tables)


def gone(uri: str, closed_by: str = "") -> dict[str, str]:
    """That the table could not be opened, or who closed it; its rows were out of reach."""
    why = f"{closed_by} had closed the table" if closed_by else "The table could not be opened"
    return {
        "table": uri,
        "outcome": "gone",
        "reason": f"{why} when its rows were to be erased; none was erased there, and they may "
        "still be there.",
    }
