"""What the report of a batch says of objects, and of all that was not shown."""

from collections.abc import Iterator, Sequence
from typing import Any

from tasks.certificates.certified_tables import stated_objects, strangers_of
from tasks.certificates.limits import Ground, not_proven
from tasks.journal.histories.batch import BatchHistory
from unlearning.policy.counted import counted


def objects_said(history: BatchHistory) -> Iterator[str]:
    """What became of objects that the rows pointed to, a sentence for each round below a prefix."""
    for one in history.objects:
        yield (
            f"Below {one.prefix} {counted(one.erased, 'object')} that only these rows pointed to "
            "by declared columns went with every version; left since rows of others point there: "
            f"{one.shared}; not there before: {one.missing}."
        )


def limits_of(
    history: BatchHistory,
    statuses: Sequence[str],
    models: Sequence[dict[str, Any]],
    *,
    may_point: bool = False,
) -> Iterator[str]:
    """The limits of what was erased, judged, or looked for in vain; none where nothing was."""
    purged = [one for table in history.tables.values() for one in table.purged]
    is_gone = any(table.is_gone for table in history.tables.values())
    if purged or is_gone or models:
        yield from not_proven(
            Ground(
                is_found=True,
                is_erased=bool(purged),
                is_partly_by_words=any(
                    one.ids_searched_as_words < one.ids_searched for one in purged
                ),
                is_partly_searched=any(one.not_searched for one in purged),
                has_strangers=any(map(strangers_of, history.stated.strangers.values())),
                is_gone=is_gone,
                objects=[
                    one for uri in history.tables for one in stated_objects(uri, history.objects)
                ],
                may_point=may_point,
                models=models,
            )
        )
    if {"not_found", "cannot_tell"} & set(statuses):
        is_sought = bool(history.sought and history.sought.versions)
        yield from not_proven(Ground(is_found=False, are_spellings_sought=is_sought))
