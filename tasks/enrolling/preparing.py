"""An owner's preparation of rows, tried before it is taken over: a row's numbers are its own."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.datasets.preparations import keep_preparation, prepared
from tasks.datasets.samples import sample_with_slices
from tasks.enrolling.source import ModelSource
from tasks.enrolling.texts import with_tokenizer
from tasks.registry.model_files import LoadedModel
from tasks.registry.services import Services
from unlearning.errors import DataError, SettingsError

_TRIED, _ALONE = 32, 4


def with_preparation(services: Services, source: ModelSource, loaded: LoadedModel) -> ModelSource:
    """The source with its owner's preparation kept, with what was logged beside the model.

    It is tried on 32 rows together, in another order, and on some of them alone: what it makes of
    a row must not depend on the others. A single array gives rows its shape.

    Raises:
        SettingsError: its file cannot be read.
        DataError: what it makes of a row depends on other rows.
        UnfitRowsError: it fails, hangs, or makes another number of rows, or no numbers.
    """
    if not source.prepare:
        return source
    if source.dataset.types:
        raise SettingsError(
            f"{source.model} takes rows as its table has them, and prepares them itself; leave out "
            "--prepare."
        )
    code = read_preparation(source)
    key = keep_preparation(services.store, code, loaded.extra, source.recipe_python)
    spec = replace(source.dataset, preparation=key, shape=())
    sample = sample_with_slices(
        services.settings, replace(spec, slices=()), source.dataset_version, count=_TRIED, seed=0
    )

    def made(table: pa.Table) -> dict[str, np.ndarray]:
        return prepared(table, spec, services.settings)

    together, backwards = made(sample.table), np.arange(sample.table.num_rows)[::-1]
    alone = [made(sample.table.slice(n, 1)) for n in range(min(_ALONE, len(backwards)))]
    pairs = [(made(sample.table.take(backwards)), {n: a[::-1] for n, a in together.items()})]
    pairs += [(one, {n: a[i : i + 1] for n, a in together.items()}) for i, one in enumerate(alone)]
    if not all(_are_alike(*pair) for pair in pairs):
        raise DataError(
            f"What the preparation of {source.model} makes of a row depends on the other rows that "
            "it is given, or on their order; let it fit nothing, and log what is fitted with the "
            "model as extra_files."
        )
    single = together.get("")
    shape = () if single is None or single.ndim < 3 else single.shape[1:]  # noqa: PLR2004 - flat
    return replace(source, dataset=replace(spec, shape=shape))


def read_preparation(source: ModelSource) -> bytes:
    """The code of its owner's preparation; empty if there is none.

    Raises:
        SettingsError: its file cannot be read.
    """
    if not source.prepare:
        return b""
    try:
        return Path(source.prepare).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The preparation {source.prepare} cannot be read ({error.strerror}); check the path."
        ) from error


def as_read(services: Services, source: ModelSource, loaded: LoadedModel) -> ModelSource:
    """The source with what makes numbers of its columns; raises as either does."""
    return with_tokenizer(services, with_preparation(services, source, loaded), loaded)


def _are_alike(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape
        and one[name].dtype == other[name].dtype
        and np.allclose(one[name], other[name], rtol=1e-4, atol=1e-5)
        for name in one
    )
