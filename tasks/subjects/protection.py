"""Whom a legal hold protects, looked up in the tables: one that protects nobody helps nobody."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.intake import legal_holds
from tasks.intake.legal_holds import Hold
from tasks.intake.submission import printable
from tasks.registry.services import Services
from tasks.subjects.tied_tables import searched_columns
from tasks.tables.delta import open_table
from tasks.tables.spellings import rows_by_id
from unlearning.errors import ExpungeError, SettingsError
from unlearning.policy.counted import counted
from unlearning.policy.spelling import loose_form

log = logging.getLogger("expunge.holds")


@dataclass(frozen=True, slots=True)
class Protection:
    """What the tables hold of the ids in one hold file; counts only."""

    name: str
    """Name of the file, which may be a person's."""
    ids: int
    rows: int
    subjects: int
    idle: int
    """Ids that protect nobody: no table holds a row of them, in whatever spelling."""
    unseen: int = 0
    """Tables that could not be looked into, so that they may protect somebody all the same."""

    @property
    def sentence(self) -> str:
        """What the hold protects, in words."""
        said = f"{printable(self.name)} protects {counted(self.rows, 'row')} of " + counted(
            self.subjects, "subject"
        )
        if self.idle:
            verb = "protects" if self.idle == 1 else "protect"
            said += f"; {self.idle} of its {counted(self.ids, 'id')} {verb} nobody"
        if self.unseen:
            said += f"; {counted(self.unseen, 'table')} could not be looked into"
        return said


def place(services: Services, path: Path, *, force: bool = False) -> Protection:
    """Put a file of holds in force, and say whom it protects.

    Cost: a pass over the subject column of every table.

    Raises:
        SettingsError: it cannot be read; or an id in it protects nobody, unless that is wanted by
            `force`. Then nothing is stored.
    """
    data, holds = legal_holds.read_file(path)
    (found,) = look_up(services, {path.name: holds})
    if found.idle and not (force or found.unseen):
        raise SettingsError(
            f"{found.sentence}, since no table of an enrolled model has a row of them in any "
            "spelling; mend the file, or place it all the same with --force."
        )
    legal_holds.store(services, path, data)
    return found


def idle_holds(services: Services) -> list[Protection]:
    """Holds in force with ids that protect nobody.

    Raises:
        DataError: a hold file cannot be read.
    """
    held = legal_holds.in_force(services)
    return [one for one in look_up(services, held) if one.idle and not one.unseen] if held else []


def warn_of_idle(services: Services) -> None:
    """Say in a run's log that there are holds which protect nobody."""
    idle = idle_holds(services)
    if idle:  # the name of a file may be that of a person
        log.error(
            "ALARM: nobody is protected by %s in %s in force; `expunge status` names the files. "
            "Mend or release them.",
            counted(sum(one.idle for one in idle), "id"),
            counted(len(idle), "hold file"),
        )


def look_up(services: Services, files: Mapping[str, set[Hold]]) -> list[Protection]:
    """What every file of holds protects in the tables of all enrolled models."""
    spelled = {name: {(h.kind, loose_form(h.subject_id)) for h in hs} for name, hs in files.items()}
    found: dict[tuple[str, str], int] = {}
    unseen = 0
    for uri, (column, kind) in searched_columns(services).items():
        forms = {form for one in spelled.values() for of, form in one if of in ("", kind)}
        try:
            rows = rows_by_id(open_table(services.settings, uri), column, forms)
        except ExpungeError as error:
            log.warning("%s: whom holds protect there is not known. %s", uri, error)
            unseen += 1
            continue
        for subject, count in rows.items():
            found[kind, subject] = found.get((kind, subject), 0) + count
    return [_protection(name, one, found, unseen) for name, one in spelled.items()]


def _protection(
    name: str, spelled: set[tuple[str, str]], found: Mapping[tuple[str, str], int], unseen: int
) -> Protection:
    hit = {(kind, subject): loose_form(subject) for kind, subject in found}
    mine = {one: form for one, form in hit.items() if {("", form), (one[0], form)} & spelled}
    used = {("", form) for form in mine.values()} | {(kind, f) for (kind, _), f in mine.items()}
    return Protection(
        name,
        ids=len(spelled),
        rows=sum(found[one] for one in mine),
        subjects=len(mine),
        idle=len(spelled - used),
        unseen=unseen,
    )
