"""Trained models of the benchmark, kept in a folder: trained once, read ever after."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.cases import Case
from benchmarks.datasets import DataSet, split
from unlearning.lineage import SHORT, facts_digest
from unlearning.rows import TensorRows
from unlearning.training import train
from unlearning.weights import model_digest

RETRAINED_SEED = 1000
"""Seeds of retrained models start here, so that none equals an original's."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model of the zoo and how long its training took."""

    model: nn.Module
    seconds: float


class Zoo:
    """Trained models by what they were trained on and with."""

    def __init__(self, folder: Path, case: Case, data: DataSet, device: str = "cpu") -> None:
        self._folder, self._case, self._data, self._device = folder, case, data, device
        self._digest = model_digest({"inputs": data.train.inputs, "labels": data.train.labels})

    def original(self, seed: int) -> Trained:
        """A model trained on all rows."""
        return self._model(self._data.train, seed, {"role": "original"})

    def retrained(self, seed: int, *, forget_share: float, number: int) -> Trained:
        """The `number`-th model trained without the forget set of `seed`."""
        rows = split(self._data, forget_share=forget_share, seed=seed).retain
        facts = {"role": "retrained", "share": forget_share, "forget_seed": seed}
        return self._model(rows, RETRAINED_SEED + 100 * seed + number, facts)

    def retrained_on(self, rows: TensorRows, *, number: int) -> Trained:
        """The `number`-th model trained on exactly these rows, whatever was left out of them."""
        digest = model_digest({"inputs": rows.inputs, "labels": rows.labels})
        facts: dict[str, object] = {"role": "retrained", "rows": digest}
        return self._model(rows, RETRAINED_SEED + number, facts)

    def _model(self, rows: TensorRows, seed: int, facts: dict[str, object]) -> Trained:
        config = replace(self._case.training, seed=seed)
        model = self._case.build(self._data, seed)
        key = facts_digest({**facts, "config": asdict(config), "data": self._digest})[:SHORT]
        path = self._folder / f"{self._case.name}-{facts['role']}-{seed}-{key}.safetensors"
        note = path.with_suffix(".json")
        if not note.exists():
            started = perf_counter()
            train(model, rows, config, device=self._device)
            seconds = perf_counter() - started
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: v.cpu().contiguous() for name, v in model.state_dict().items()}, path)
            note.write_text(json.dumps({"seconds": seconds, "threads": torch.get_num_threads()}))
        model.load_state_dict(load_file(path))
        return Trained(model.cpu().eval(), json.loads(note.read_text())["seconds"])


def fill(
    zoo: Zoo, *, seeds: range, shares: tuple[float, ...], retrained: int
) -> Iterator[tuple[str, float]]:
    """Train every model of the case that is missing; yields what was trained and its seconds."""
    for seed in seeds:
        yield f"original {seed}", zoo.original(seed).seconds
        for share in shares:
            for number in range(retrained):
                one = zoo.retrained(seed, forget_share=share, number=number)
                yield f"retrained {seed}/{number} without {share:.0%}", one.seconds
