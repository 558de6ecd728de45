"""The lake of a history: small Delta tables of two kinds of people, and what its owners do there.

Each row bears a number in its features, so that a row can be told wherever it lies.
"""

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

BITS = 12
"""Bits of the features that are the row's number; three more decide the label."""
WIDTH = BITS + 3


@dataclass(frozen=True, order=True)
class Person:
    """Somebody, as a table names them."""

    kind: str
    id: str


@dataclass(frozen=True)
class Table:
    """A table of the lake."""

    name: str
    kind: str
    column: str
    is_number: bool = False
    """Whether ids are whole numbers there."""

    def named(self, person: Person) -> int | str:
        """The id as a value of the subject column."""
        return int(person.id) if self.is_number else person.id


TABLES = {
    table.name: table
    for table in (
        Table("people", "person", "subject_id"),
        Table("people-unseen", "person", "subject_id"),
        Table("staff", "employee", "staff_id", is_number=True),
        Table("staff-unseen", "employee", "staff_id", is_number=True),
    )
}
ORDERS = "orders"
"""A table of somebody else's, in the folder of one of ours."""
FOREIGN = ("notes.txt", "_archive/copy.pq", "_archive/dump.csv.gz", ORDERS)
"""What people leave in the folders of tables."""
ROWS = 44
"""Rows of each table."""

_FORMS = ("zq7subject-{:05d}", "zq7.person{:05d}@example.org", "7340017{:05d}")


def person(number: int) -> Person:
    """Text ids of three forms; the last could be a whole number."""
    return Person("person", _FORMS[number % len(_FORMS)].format(number))


def employee(number: int) -> Person:
    """A number, and so long that chance writes it nowhere; some are ids of persons as well."""
    return Person("employee", _FORMS[-1].format(number))


NOBODY = (person(900), employee(900))


def near(person: Person) -> str:
    """The person's id as somebody else might spell it."""
    return f"00{person.id}" if person.id.isdigit() else person.id.upper()


CAST = (person(0), person(1), person(2), person(700), employee(0), employee(2), *NOBODY)
"""Who is asked for: with two rows, with rows in both tables, with one, in the holdout alone, …

Person 2 and employee 2 have the same id.
"""


def first_rows() -> dict[str, dict[int, Person]]:
    """Whose row each number is, by table."""
    people = [person(i) for i in range(ROWS - 1)] + [person(0)]
    unseen = [person(700 + i) for i in range(ROWS - 1)] + [person(1)]
    staff = [employee(i) for i in range(ROWS - 1)] + [employee(0)]
    absent = [employee(700 + i) for i in range(ROWS)]
    found, number = {}, 0
    for name, who in zip(TABLES, (people, unseen, staff, absent), strict=True):
        found[name] = {number + i: one for i, one in enumerate(who)}
        number += len(who)
    return found


def features(number: int) -> list[int]:
    """The row's number in bits, and three more that look like chance."""
    signal = np.random.default_rng(number).integers(0, 2, WIDTH - BITS).tolist()
    return [*signal, *(number >> bit & 1 for bit in range(BITS))]


def number_of(row: list[int]) -> int:
    """The number that these features bear."""
    return sum(int(bit) << place for place, bit in enumerate(row[WIDTH - BITS :]))


class Lake:
    """Tables below a folder, as their owners see them."""

    def __init__(self, folder: Path, copies: Path) -> None:
        self.folder, self.copies = folder, copies

    def uri(self, name: str) -> str:
        return f"file://{self.folder / name}"

    def open(self, name: str) -> DeltaTable:
        return DeltaTable(self.uri(name))

    def make(self) -> None:
        for name, owners in first_rows().items():
            write_deltalake(self.uri(name), self.rows(name, owners))

    def rows(self, name: str, owners: dict[int, Person], *, is_fit: bool = True) -> pa.Table:
        """Rows with these numbers, as the table's schema has them; unfit ones have no label."""
        table = TABLES[name]
        values = np.array([features(n) for n in owners], dtype=np.int8).reshape(-1)
        subjects = [table.named(one) for one in owners.values()]
        labels = [int(sum(features(n)[:3]) >= 2) if is_fit else None for n in owners]
        return pa.table(
            {
                table.column: pa.array(subjects, pa.int64() if table.is_number else pa.string()),
                "label": pa.array(labels, pa.int64()),
                "features": pa.FixedSizeListArray.from_arrays(pa.array(values), WIDTH),
            }
        )

    def read(self, name: str) -> dict[int, Person]:
        """Whose row each number in the table is now."""
        found = self.open(name).to_pyarrow_table()
        table = TABLES[name]
        numbers = map(number_of, found["features"].to_pylist())
        who = (Person(table.kind, str(one)) for one in found[table.column].to_pylist())
        return dict(zip(numbers, who, strict=True))

    def append(self, name: str, owners: dict[int, Person], *, is_fit: bool = True) -> None:
        rows = self.rows(name, owners, is_fit=is_fit)
        write_deltalake(self.uri(name), rows, mode="append")

    def overwrite(self, name: str, owners: dict[int, Person]) -> None:
        write_deltalake(self.uri(name), self.rows(name, owners), mode="overwrite")

    def compact(self, name: str) -> None:
        self.open(name).optimize.compact()

    def vacuum(self, name: str) -> None:
        self.open(name).vacuum(0, dry_run=False, enforce_retention_duration=False)

    def delete(self, name: str, person: Person) -> None:
        """Delete a person's rows as anybody would, by name."""
        table = TABLES[name]
        value = person.id if table.is_number else f"'{person.id}'"
        self.open(name).delete(f"{table.column} = {value}")

    def leave(self, name: str, what: str, owners: dict[int, Person]) -> None:
        """Somebody puts a thing of their own into the table's folder."""
        place = self.folder / name / what
        place.parent.mkdir(exist_ok=True)
        if what == ORDERS:
            write_deltalake(str(place), self.rows(name, owners))
        elif what.endswith(".gz"):
            lines = "\n".join(one.id for one in owners.values())
            place.write_bytes(gzip.compress(lines.encode()))
        elif what.endswith(".pq"):
            pq.write_table(self.rows(name, owners), place)
        else:
            place.write_text("ask the data platform before you change this table")

    def foreign(self, name: str) -> dict[str, bytes]:
        """Whatever lies in a table's folder and was put there so, by its path."""
        root = self.folder / name
        return {
            str(path.relative_to(root)): path.read_bytes()
            for what in FOREIGN
            for path in ([root / what] if (root / what).is_file() else (root / what).rglob("*"))
            if path.is_file()
        }

    def tidy(self, name: str) -> None:
        """They take their things away again."""
        for what in FOREIGN:
            place = self.folder / name / what
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)

    def keep_copy(self, name: str, number: int) -> None:
        shutil.copytree(self.folder / name, self.copies / str(number))

    def restore(self, name: str, number: int) -> None:
        shutil.rmtree(self.folder / name)
        shutil.copytree(self.copies / str(number), self.folder / name)
