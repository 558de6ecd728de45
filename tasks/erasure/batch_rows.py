"""The rows of a batch's subjects in one table, and what the batch did to that table before."""

from tasks.erasure.addresses import note_addresses
from tasks.journal.events import ids
from tasks.journal.histories.table import TableHistory
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import late_holds, late_returns
from tasks.subjects.erased_rows import keep_erased
from tasks.subjects.matches import located_subjects, matches
from tasks.tables.deletion import delete_rows
from tasks.tables.delta import has_rows, matching, open_table
from unlearning.errors import ConflictError, TransientError
from unlearning.policy.subject_kinds import SubjectColumn

_PASSES = 5
"""Deletions in a row before a table that others write to is given up on."""


def table_history(services: Services, batch: str, uri: str) -> TableHistory:
    """What the batch did to the table, round by round; empty before it did anything."""
    return read_batch(services.journal, batch).tables.get(uri, TableHistory())


class BatchRows:
    """The rows of a batch's subjects in one table, of those that it found somewhere.

    Who had none anywhere, and is delivered meanwhile, must be found by a search first: what is
    deleted without one is on no list and in no certificate.
    """

    def __init__(self, services: Services, batch: str, uri: str) -> None:
        self._services, self._batch, self.uri = services, batch, uri
        found = next(m for m in matches(services, batch) if m.uri == uri)
        self.column, self.kind = found.column, found.kind
        self.subjects = located_subjects(services, batch, self.kind)
        self.mark = ids.deletion_mark(batch, uri)
        self._without: int | None = None

    def are_there(self) -> bool:
        """Whether the newest version has any; a version that had none is not read again."""
        table = open_table(self._services.settings, self.uri)
        if table.version() == self._without:
            return False
        found = has_rows(table, matching(table, self.column, self.subjects), self.column)
        self._without = None if found else table.version()
        return found

    def _keep_digests(self) -> int:
        """Write down what the rows hold: should they come back, they are told from new ones.

        And which objects they point to, which are deleted once the rows are gone.

        Returns the version of the table that has these rows.
        """
        table = open_table(self._services.settings, self.uri)
        # Whatever this version has is among what is looked at now.
        late_returns.refuse_new(self._services, self._batch)
        column = SubjectColumn(self.column, self.kind)
        keep_erased(self._services, self._batch, table, column, self.subjects)
        note_addresses(self._services, self._batch, table, self.uri, column, self.subjects)
        return table.version()

    def _delete_once(self) -> None:
        version = self._keep_digests()
        settings, column = self._services.settings, self.column
        delete_rows(settings, self.uri, column, self.subjects, self.mark, version)

    def delete(self) -> None:
        """Delete them until none is left: others may append while a deletion runs."""
        for left in reversed(range(_PASSES)):
            late_holds.refuse_held(self._services, self._batch)
            lease.check(self._services.store)  # each pass may take long, and another may take over
            try:
                self._delete_once()
            except TransientError:  # others wrote first, most likely: what they wrote is looked at
                if not left:
                    raise
            if not self.are_there():
                return
        raise ConflictError(
            f"Rows of erased subjects are appended to {self.uri} again and again; stop the job "
            "that writes them, then run again."
        )
