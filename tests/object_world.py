"""The erased world with images in objects: each row has the address of one, with an id in it."""

from io import BytesIO
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from erased_world import ROWS, TRAINING, World
from logged_models import log_model
from PIL import Image
from small_tables import rows, subject
from torch import nn

from tasks.datasets.rows import TableRows
from tasks.enrolling import enroll
from tasks.environment.settings import load_settings
from tasks.journal.events.enrollment import DatasetSpec, ObjectColumn
from tasks.store.opening import open_store
from unlearning.training import training

SHAPE = (1, 5, 8)


def photo(pixels) -> bytes:
    """A grey image of 5 by 8 pixels, each 0 or 1."""
    written = BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8).reshape(5, 8) * 255).save(written, "PNG")
    return written.getvalue()


def key_of(number: int) -> str:
    return f"{subject(number)}/photo.png"


def with_photos(table: pa.Table, prefix: str, first: int) -> pa.Table:
    """Those rows with an object each in the place of features; keys and URIs by turns."""
    store, addresses = open_store(prefix, load_settings()), list[str]()
    place = unquote(prefix) if prefix.startswith("s3:") else prefix
    for number, pixels in enumerate(table["features"].to_pylist(), first):
        key = key_of(number)
        store.put(key, photo(pixels))
        addresses.append(key if number % 2 else f"{place}/{key}")
    return table.drop_columns("features").append_column("photo", [addresses])


def photo_spec(table: str, prefix: str) -> DatasetSpec:
    column = ObjectColumn("photo", prefix)
    return DatasetSpec(
        table, ("photo",), "label", "subject_id", shape=SHAPE, scale=255.0, objects=(column,)
    )


class ObjectWorld(World):
    """Two tables whose rows point to objects below one prefix, and a model that learned them."""

    def __init__(self, services, folder, prefix):
        self.services, self.folder, self.prefix = services, folder, prefix
        self.table, self.holdout = f"file://{folder}/train", f"file://{folder}/holdout"
        write_deltalake(self.table, with_photos(rows(ROWS, seed=1), prefix, 0))
        write_deltalake(self.holdout, with_photos(rows(200, first=ROWS, seed=2), prefix, ROWS))
        self.train()

    @property
    def objects(self):
        return open_store(self.prefix, self.services.settings)

    def train(self):
        source = self.source()
        module = nn.Sequential(nn.Flatten(), nn.Linear(40, 8), nn.ReLU(), nn.Linear(8, 2))
        learned = TableRows(self.services.settings, source.dataset, None)
        training.train(module, learned, TRAINING, device="cpu")
        example = np.zeros((2, *SHAPE), dtype=np.float32)
        version = log_model(self.services, module, example=example)
        return enroll.enroll_version(self.services, source, version, trust_pickle=True)

    def source(self, **changes):
        return super().source(**({"dataset": photo_spec(self.table, self.prefix)} | changes))

    def keys(self):
        return {info.key for info in self.objects.list_objects("")}

    def point(self, number, address):
        """One row more of a subject, that points to this address."""
        row = rows(1, first=number, seed=9).drop_columns("features")
        write_deltalake(self.table, row.append_column("photo", [[address]]), mode="append")
