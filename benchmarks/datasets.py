"""Parquet files as tensors, and the split of one benchmark problem."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from unlearning.model.rows import TensorRows


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Training and test rows of one data set."""

    train: TensorRows
    test: TensorRows

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 1 + int(torch.cat([self.train.labels, self.test.labels]).max())


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The row sets of one problem; what a method reads is not what it is judged on."""

    train: TensorRows
    """All rows that the original was trained on."""
    forget: TensorRows
    retain: TensorRows
    """All training rows that stay: the retrained models learn from these."""
    retain_read: TensorRows
    """Retain rows that a method may read."""
    retain_judged: TensorRows
    holdout_read: TensorRows
    holdout_judged: TensorRows


def load(folder: Path, *, train_rows: int) -> DataSet:
    """`train.parquet` and `test.parquet` of a folder: columns `label` and `features`.

    Integer features above 1 are taken for pixels and divided by 255. The note `dataset` in the
    schema's metadata may give the input's shape. Of more than `train_rows` training rows the first
    that many are taken.
    """
    return DataSet(
        train=_rows(folder / "train.parquet", train_rows), test=_rows(folder / "test.parquet", None)
    )


def _rows(path: Path, limit: int | None) -> TensorRows:
    table = pq.read_table(path, columns=["label", "features"])
    table = table if limit is None else table.slice(0, limit)
    note = json.loads((table.schema.metadata or {}).get(b"dataset", b"{}"))
    flat = table["features"].combine_chunks().flatten().to_numpy().astype(np.float32)
    inputs = torch.from_numpy(flat).reshape(table.num_rows, -1)
    if inputs.max() > 1:
        inputs = inputs / 255
    noted = str(note.get("shape", inputs.shape[1]))  # as in 3x32x32
    shape = [int(side) for side in noted.split("x")]
    labels = torch.from_numpy(table["label"].to_numpy().astype(np.int64))
    return TensorRows(inputs.reshape(-1, *shape), labels)


def split(data: DataSet, *, forget_share: float, seed: int, sample: int = 4000) -> Split:
    """A random forget set of that share, and halves of retain and test rows to read and to judge.

    Each half is at most `sample` rows.
    """
    shuffler = torch.Generator().manual_seed(seed)
    order = torch.randperm(data.train.count, generator=shuffler)
    count = round(forget_share * data.train.count)
    forget, retain = order[:count], order[count:]
    test = torch.randperm(data.test.count, generator=shuffler)

    def halves(index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        middle = len(index) // 2
        return index[:middle][:sample], index[middle:][:sample]

    read, judged = halves(retain)
    seen, held = halves(test)
    return Split(
        train=data.train,
        forget=_take(data.train, forget),
        retain=_take(data.train, retain),
        retain_read=_take(data.train, read),
        retain_judged=_take(data.train, judged),
        holdout_read=_take(data.test, seen),
        holdout_judged=_take(data.test, held),
    )


def _take(rows: TensorRows, index: torch.Tensor) -> TensorRows:
    return TensorRows(rows.inputs[index], rows.labels[index])
