"""How a model is to be asked: what lies between its table's rows, its answers and class scores."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import torch
from torch import nn

from tasks.datasets.encoding import feature_values, is_list, widths
from tasks.datasets.images import is_bytes
from tasks.datasets.preparations import prepared
from tasks.datasets.samples import sample_rows, sample_with_slices
from tasks.enrolling.recognition import FIT_ROWS, NamedRows, Stored, recognised
from tasks.enrolling.source import ModelSource
from tasks.environment.memory import memory_errors
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from tasks.registry.services import Services
from tasks.subjects.reappearance import suppressed_ids
from unlearning.config.model_interface import ModelInterface
from unlearning.errors import UnsupportedModelError
from unlearning.model.adapted import adapted, argument_names
from unlearning.model.forward import fixed_mode
from unlearning.model.opaque import is_opaque

_ROWS = 1024
_LEAST_SHARE = 1e-6
"""Of the spread of the labels: a model that hits nearly all of them exactly is measured by it."""


def interface_of(services: Services, source: ModelSource, module: nn.Module) -> ModelInterface:
    """The interface of the module as its version holds it, as a few training rows show it.

    The tolerance of a model of numbers is the median of its absolute errors on at most 1,024
    holdout rows, so that about half of the unseen rows count as right: there a change for the worse
    shows most.

    Raises:
        UnsupportedModelError: it answers with anything but one number for each row.
    """
    spec = source.dataset
    if is_opaque(module):  # it takes rows as the table has them
        is_number = spec.target == "number"
        return ModelInterface(tolerance=_tolerance(services, source, module) if is_number else 0.0)
    sample = sample_with_slices(
        services.settings,
        replace(spec, slices=()),
        source.dataset_version,
        count=FIT_ROWS,
        seed=0,
    )
    named, inputs = _named(services, sample.table, spec), sample.rows.inputs
    with memory_errors():
        if spec.target == "class":
            found = recognised(module, inputs, named=named)
        else:
            given = _number_inputs(inputs, source)
            found = recognised(module, given, named=named, scores=False)
        if named and found.is_plain:
            raise _unlike(module, source)
        if spec.target == "class":
            return found
        tolerance = _tolerance(services, source, adapted(module, found))
    return replace(found, tolerance=tolerance, shape=() if named else spec.shape)


def _named(services: Services, table: pa.Table, spec: DatasetSpec) -> list[NamedRows]:
    if not spec.preparation:
        return named_rows(table, spec)
    made = prepared(table, spec, services.settings)
    kinds: dict[str, Stored] = {"b": "truth", "i": "whole"}
    return [
        NamedRows(name, one[0].size, one.ndim > 1, kinds.get(one.dtype.kind, "real"), one.shape[1:])
        for name, one in made.items()
        if name
    ]


def named_rows(table: pa.Table, spec: DatasetSpec) -> list[NamedRows]:
    """What the table, of one row or more, has for each argument of the model."""
    return [
        NamedRows(
            *(one.name, cells, _is_many(table, one), _stored(table, one)),
            shape=spec.shape if is_bytes(table[one.columns[0]].type) else (),
        )
        for one, cells in zip(spec.inputs, widths(table, spec), strict=True)
    ]


def _is_many(table: pa.Table, one: InputColumns) -> bool:
    return len(one.columns) > 1 or any(is_list(table[name].type) for name in one.columns)


def _stored(table: pa.Table, one: InputColumns) -> Stored:
    kinds = [table[name].type for name in one.columns]
    kinds = [kind.value_type if is_list(kind) else kind for kind in kinds]
    if all(map(pa.types.is_boolean, kinds)):
        return "truth"
    return "whole" if all(map(pa.types.is_integer, kinds)) else "real"


def _unlike(module: nn.Module, source: ModelSource) -> UnsupportedModelError:
    wanted = ", ".join(one.name for one in source.dataset.inputs)
    return UnsupportedModelError(
        f"{source.model} does not take {wanted} as [inputs] names them, for it takes "
        f"{', '.join(argument_names(module))}; name its arguments, and columns of numbers that fit."
    )


def with_whole(source: ModelSource, found: ModelInterface) -> ModelSource:
    """The source, of whose rows whole numbers are demanded where the model takes nothing else."""
    names = [one.name for one in found.inputs if one.kind == "int64"]
    columns = {one.name: one.columns for one in source.dataset.inputs} or {
        "": source.dataset.features
    }
    whole = tuple(dict.fromkeys(c for name in names for c in columns.get(name, ())))
    return replace(source, dataset=replace(source.dataset, whole=whole))


def said_of(source: ModelSource, found: ModelInterface) -> Iterator[str]:
    """What was recognised and is not plain, a sentence for each."""
    for one in found.inputs:
        what = f"{one.name} as {one.kind}" if one.name else f"{one.kind} inputs"
        yield f"{source.model} takes {what}; rows are given to it so."
    if found.output:
        yield f"{source.model} gives several answers; its scores are {found.output!r}."
    if found.last_layer:
        yield (
            f"{source.model} gives probabilities; they are read as the scores that its "
            f"{found.last_layer} makes them of."
        )
    if found.answers_with_number:
        yield (
            f"Half of {source.model}'s holdout rows are less than {found.tolerance:.4g} off in "
            f"{source.dataset.label}, which counts as right from now on."
        )


def _tolerance(services: Services, source: ModelSource, module: nn.Module) -> float:
    spec = source.dataset
    gone = suppressed_ids(services, spec, None, uri=source.holdout)
    rows = sample_rows(
        services.settings, spec, None, count=_ROWS, seed=0, without=gone, uri=source.holdout
    )
    numbers = rows.inputs[:, -1].double()
    answers = _answers(module, _number_inputs(rows.inputs, source), source)
    median = float((answers - numbers).abs().median())
    spread = float(numbers.std()) if rows.count > 1 else 1.0
    if not median < float("inf"):
        raise UnsupportedModelError(
            f"{source.model} answers holdout rows with numbers that are not finite; look for "
            "extreme inputs or broken weights, and log it again."
        )
    return max(median, _LEAST_SHARE * spread, torch.finfo(torch.float32).tiny)


def _number_inputs(inputs: torch.Tensor, source: ModelSource) -> torch.Tensor:
    """What a model of numbers takes of rows that bear their label."""
    flat = feature_values(inputs, source.dataset)
    shape = () if source.dataset.inputs else source.dataset.shape
    return flat.reshape(len(flat), *(shape or (-1,)))


def _answers(module: nn.Module, inputs: torch.Tensor, source: ModelSource) -> torch.Tensor:
    try:
        with fixed_mode(module), torch.no_grad():
            answers = module(inputs)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"{source.model} does not take inputs of shape {list(inputs.shape[1:])}; check "
            "--features and --shape."
        ) from error
    if not isinstance(answers, torch.Tensor) or answers.numel() != len(inputs):
        raise UnsupportedModelError(
            f"{source.model} does not answer each row with one number; change --loss, or wrap it "
            "in a module that does.",
            line="--loss cross_entropy",
        )
    return answers.reshape(-1).double()
