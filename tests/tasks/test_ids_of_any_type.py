"""People whose ids are no text are erased, forgotten and proven absent like any others."""

import json
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from erased_world import World
from small_tables import rows

TIME = "2026-11-20T03:04:05Z"
KINDS = {
    "uuid": (
        lambda n: UUID(int=n + 2**100).bytes,
        pa.binary(),
        lambda n: str(UUID(int=n + 2**100)),
    ),
    "decimal": (lambda n: Decimal(n + 2**64), pa.decimal128(20, 0), lambda n: str(n + 2**64)),
}


class Typed(World):
    """Tables whose subject column has a type of its own, and a model on them."""

    def __init__(self, services, folder, kind):
        self.services, self.folder = services, folder
        made, column, self.text = KINDS[kind]
        for name, count, first, seed in (("train", 240, 0, 1), ("holdout", 200, 240, 2)):
            ids = pa.array([made(first + n) for n in range(count)], column)
            write_deltalake(folder / name, rows(count, seed=seed).set_column(0, "subject_id", ids))
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        self.train()

    def submit(self, name, numbers):
        lines = [
            {"request_id": f"{name}-{n}", "subject_id": self.text(n), "received_at": TIME}
            for n in numbers
        ]
        text = "\n".join(map(json.dumps, lines))
        self.store.put(f"requests/incoming/{name}.jsonl", text.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_a_person_with_an_id_of_any_type_is_erased_and_certified(services, tmp_path, kind):
    world = Typed(services, tmp_path, kind)
    world.submit("R", range(8))
    world.run()
    assert {event.status for event in world.requests().values()} == {"erased"}
    (table,) = world.certificate("R-3")["tables"]
    assert (table["rows_before"], table["rows_matched"], table["rows_after"]) == (240, 8, 232)
    assert world.champion() == 2
