"""Trained models of the benchmark, kept in a folder: trained once, read ever after."""

from dataclasses import asdict, replace
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.cases import Case
from benchmarks.datasets import DataSet, split
from unlearning.model.rows import TensorRows
from unlearning.model.weights import model_digest
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.training.training import train

RETRAINED_SEED = 1000
"""Seeds of retrained models start here, so that none equals an original's."""

REFERENCE_SEED = 5000
"""The same for reference models."""


class Zoo:
    """Trained models by what they were trained on and with."""

    def __init__(self, folder: Path, case: Case, data: DataSet, device: str = "cpu") -> None:
        self._folder, self._case, self._data, self._device = folder, case, data, device
        self._digest = model_digest({"inputs": data.train.inputs, "labels": data.train.labels})

    def original(self, seed: int) -> nn.Module:
        """A model trained on all rows."""
        return self._model(self._data.train, seed, {"role": "original"})

    def retrained(self, seed: int, *, forget_share: float, number: int) -> nn.Module:
        """The `number`-th model trained without the forget set of `seed`."""
        rows = split(self._data, forget_share=forget_share, seed=seed).retain
        facts = {"role": "retrained", "share": forget_share, "forget_seed": seed}
        return self._model(rows, RETRAINED_SEED + 100 * seed + number, facts)

    def retrained_on(self, rows: TensorRows, *, number: int) -> nn.Module:
        """The `number`-th model trained on exactly these rows, whatever was left out of them."""
        digest = model_digest({"inputs": rows.inputs, "labels": rows.labels})
        facts: dict[str, object] = {"role": "retrained", "rows": digest}
        return self._model(rows, RETRAINED_SEED + number, facts)

    def reference(self, rows: TensorRows, seed: int, number: int) -> nn.Module:
        """The `number`-th reference model of an original, trained on these holdout rows."""
        digest = model_digest({"inputs": rows.inputs, "labels": rows.labels})
        facts: dict[str, object] = {"role": "reference", "rows": digest}
        return self._model(rows, REFERENCE_SEED + 100 * seed + number, facts)

    def _model(self, rows: TensorRows, seed: int, facts: dict[str, object]) -> nn.Module:
        config = replace(self._case.training, seed=seed)
        model = self._case.build(self._data, seed)
        key = facts_digest({**facts, "config": asdict(config), "data": self._digest})[:SHORT]
        path = self._folder / f"{self._case.name}-{facts['role']}-{seed}-{key}.safetensors"
        if not path.exists():
            train(model, rows, config, device=self._device)
            path.parent.mkdir(parents=True, exist_ok=True)
            state = {name: v.cpu().contiguous() for name, v in model.state_dict().items()}
            # Whole or not at all: a run that is stopped here must not leave half a model.
            save_file(state, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
        model.load_state_dict(load_file(path))
        return model.cpu().eval()
