"""A column of texts as a model reads it: by the tokenizer among its files, kept from then on."""

import logging
from dataclasses import replace

import pyarrow as pa

from tasks.datasets.texts import keep_tokenizer, longest, padded
from tasks.enrolling.source import ModelSource
from tasks.foreign_errors import translated
from tasks.registry.hugging_face.tokenizing import TextForm
from tasks.registry.model_files import LoadedModel
from tasks.registry.services import Services
from tasks.tables.delta import arrow_dataset, arrow_schema, open_table
from tasks.tables.subject_ids import is_text
from unlearning.errors import DataError

log = logging.getLogger("expunge.enroll")

_STEP = 8
"""Lengths are multiples of it."""


def with_tokenizer(services: Services, source: ModelSource, loaded: LoadedModel) -> ModelSource:
    """The source with the tokenizer of the model and the length of its rows, if it reads texts.

    That length is `shape` where one is given, else that of the longest text of both tables, as far
    as the model takes it. Cost: a pass over the column of texts.

    Raises:
        DataError: a column of texts, and no tokenizer among the model's files.
        SettingsError: the library `tokenizers` is not installed, or does not read the tokenizer.
    """
    spec = source.dataset
    if spec.preparation or not reads_text(services, source):
        return source
    text = loaded.hub.text if loaded.hub else None
    if text is None:
        raise DataError(
            f"Feature column {spec.features[0]!r} holds texts, and {source.model} has no tokenizer "
            "among its files; log it with mlflow.transformers, or name columns of numbers.",
            line="--features COLUMN",
        )
    found = _longest(services, source, text)
    length = spec.shape[0] if spec.shape else min(text.longest, -(-found // _STEP) * _STEP)
    if found > length:
        log.warning(
            "%s: the longest text has %d tokens and is cut off after %d, here and wherever its "
            "rows are read",
            source.model,
            found,
            length,
        )
    data = padded(text.tokenizer, padding=text.padding, pad_token=text.pad_token, length=length)
    key = keep_tokenizer(services.store, data)
    log.info("%s: its tokenizer makes rows of %d tokens", source.model, length)
    ids = replace(spec, tokenizer=key, shape=(length,), scale=1.0)
    return replace(source, dataset=ids)


def reads_text(services: Services, source: ModelSource) -> bool:
    """Whether its one feature is a column of texts, of which tokens are made."""
    spec = source.dataset
    if len(spec.features) != 1 or spec.types or spec.is_address(spec.features[0]):
        return False
    schema = arrow_schema(open_table(services.settings, spec.uri, source.dataset_version))
    name = spec.features[0]
    return name in schema.names and is_text(schema.field(name).type)


def _longest(services: Services, source: ModelSource, text: TextForm) -> int:
    found = 1
    for uri, version in ((source.dataset.uri, source.dataset_version), (source.holdout, None)):
        table = arrow_dataset(open_table(services.settings, uri, version))
        with translated("table"):
            for batch in table.to_batches(columns=list(source.dataset.features)):
                column = pa.chunked_array([batch.column(0).drop_null()])
                found = max(found, longest(text.tokenizer, column))
    return found
