"""Models of other libraries than torch: recognised before anything of their tables is looked at."""

import logging
import math
import shlex
from collections.abc import Collection, Iterator
from dataclasses import replace

from torch import nn

from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from tasks.registry.confined.places import private_places
from tasks.registry.model_files import Trust
from tasks.registry.opaque.asked import Asked
from tasks.registry.opaque.cells import cell_types
from tasks.registry.opaque.flavours import VersionForm, version_form
from tasks.registry.opaque.scoring import asked_as, described
from tasks.registry.opaque.scoring_process import LEAST
from tasks.registry.services import Services
from tasks.tables.delta import arrow_schema, open_table
from unlearning.errors import DataError, ExpungeError, SettingsError, UnsupportedModelError
from unlearning.model.forward import fixed_mode
from unlearning.model.opaque import OpaqueModel
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.policy.budget import RETRAIN, is_exact

log = logging.getLogger("expunge.enroll")

_DEFAULT_FEATURES = ("features",)
_NEARLY = 1e-3
_TOLD_APART = 20
"""Rows of which a model that gives a number per class is unsure of one at least."""


def with_library(services: Services, source: ModelSource, number: int) -> ModelSource:
    """The source with the columns of its signature; as another library than torch needs it.

    Where no features are named and the signature names columns of the table, those are taken. A
    model of another library takes rows as its table has them, and is always trained anew.

    Raises:
        DataError: a column has a type that is not carried to such a model.
        MissingDataError: there is no such version.
    """
    form = version_form(services.registry, source.model, number)
    table = open_table(services.settings, source.dataset.uri, source.dataset_version)
    schema = arrow_schema(table)
    source = _by_signature(source, form, schema.names)
    if not form.library:
        return source
    features = source.dataset.features
    types = cell_types(schema, [name for name in features if name in schema.names])
    if len(types) < len(features):  # which columns there are is told later, all at once
        types = types + ("string",) * (len(features) - len(types))
    if not is_exact(source.unlearning.method):
        log.info("%s is a model of %s, so it is trained anew each time", source.model, form.library)
    return replace(
        source,
        dataset=replace(source.dataset, types=types),
        unlearning=replace(source.unlearning, method=RETRAIN),
    )


def _by_signature(source: ModelSource, form: VersionForm, names: Collection[str]) -> ModelSource:
    """The source with the columns that the signature names, if its owner names none.

    Several tensors are several arguments, each with the column of its name. A column that is not
    there is told later, if others of them are.
    """
    spec = source.dataset
    if spec.features != _DEFAULT_FEATURES or spec.inputs or _DEFAULT_FEATURES[0] in names:
        return source
    if not set(form.inputs) & set(names):
        return source
    several = form.are_tensors and len(form.inputs) > 1
    inputs = tuple(InputColumns(one, (one,)) for one in form.inputs) if several else ()
    return replace(source, dataset=replace(spec, features=form.inputs, inputs=inputs))


def signature_said(before: ModelSource, after: ModelSource) -> Iterator[str]:
    """A sentence if the columns of the signature were taken."""
    found = after.dataset.features
    if found != before.dataset.features:
        yield (
            f"Nobody named the features of {after.model}, so the columns of its MLflow signature "
            f"are taken: --features {shlex.join(found)}."
        )


def library_errors(source: ModelSource) -> Iterator[ExpungeError]:
    """Why a model of another library cannot be enrolled so, by what its owner says alone."""
    if not source.dataset.types:
        return
    if not source.recipe:
        yield UnsupportedModelError(
            f"{source.model} is a model of another library than PyTorch, which only code of its "
            "owner can train anew; give that with --recipe FILE.",
            line="--recipe FILE",
        )
    if any(map(source.dataset.is_address, source.dataset.features)):
        yield SettingsError(
            f"{source.model} takes rows as the table has them, and would read the addresses of "
            "objects as texts; leave that column out of --features."
        )
    if source.dataset.shape or source.dataset.scale != 1.0:
        yield SettingsError(
            f"{source.model} takes rows as the table has them; leave out --shape and --scale, and "
            "let a step of the model do what they did."
        )


def refuse_unfit(source: ModelSource) -> None:
    """Refuse a source for the first of its `library_errors`."""
    for error in library_errors(source):
        raise error


def columns_of(source: ModelSource) -> tuple[str, ...]:
    """Columns that a model of another library takes, each with its type; none of torch's own."""
    spec = source.dataset
    if not spec.types:
        return ()
    return tuple(map(" ".join, zip(spec.features, spec.types, strict=True)))


def asked_by(services: Services, source: ModelSource, trust: Trust) -> Asked | None:
    """How the model of the source is asked; None if it is torch's own."""
    if not source.dataset.types:
        return None
    spec = source.dataset
    private = private_places(services.settings, (spec.uri, source.holdout, *spec.prefixes))
    return Asked(source.model, spec, source.recipe_python, tuple(private), trust.pickle)


def with_classes(source: ModelSource, module: nn.Module) -> tuple[ModelSource, nn.Module]:
    """Both with the classes that a model of another library knows, in its order.

    Raises:
        UnsupportedModelError: it predicts numbers where classes are wanted, or cannot be asked.
        DataError: the classes that were named are not those that it knows.
    """
    if not isinstance(module, OpaqueModel):
        return source, module
    found = described(module)
    assert found is not None
    if source.dataset.target == "number":
        return source, module
    if found.predicts_number:
        raise UnsupportedModelError(
            f"{source.model} predicts a number and no class; enrol it with --loss squared_error.",
            line="--loss squared_error",
        )
    named = source.dataset.classes
    numbers = tuple(map(str, range(len(named))))
    if found.classes and named and set(found.classes) not in (set(named), set(numbers)):
        raise DataError(
            f"{source.model} knows {len(found.classes)} classes, and they are not the "
            f"{len(named)} that --classes names; leave that out to take the model's own."
        )
    spec = _with_classes(source.dataset, found.classes)
    return replace(source, dataset=spec), asked_as(module, spec)


def _with_classes(spec: DatasetSpec, known: tuple[str, ...]) -> DatasetSpec:
    return spec if spec.classes or not known else replace(spec, classes=known)


def opaque_errors(
    module: nn.Module, library: str, sample: TensorRows, model: str
) -> Iterator[ExpungeError]:
    """What makes a model of another library unfit to be judged: its answers to a sample of rows."""
    try:
        with fixed_mode(module):
            scores = read_scores(module, sample, chunk_size=sample.count)
    except ExpungeError as error:
        yield error
        return
    values = scores.values
    if len(sample.inputs.unique(dim=0)) > 1 and bool((values == values[:1]).all()):
        yield UnsupportedModelError(
            f"{model} gives the same scores for every row of its table; register the model that "
            "was trained on it, or check --features."
        )
    is_sure = bool(((values > -_NEARLY) | (values < math.log(LEAST) + _NEARLY)).all())
    if library == "python_function" and sample.count >= _TOLD_APART and is_sure:
        yield UnsupportedModelError(
            f"{model} names a class and gives no number for each; log it again with "
            "pyfunc_predict_fn='predict_proba', or in a flavour of its own library.",
            line="mlflow.….log_model(…, pyfunc_predict_fn='predict_proba')",
        )
