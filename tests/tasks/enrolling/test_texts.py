"""A column of texts is for models that bring a tokenizer; `make models` has one that does."""

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from torch import nn

from tasks.enrolling.source import ModelSource
from tasks.enrolling.texts import reads_text, with_tokenizer
from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.model_files import LoadedModel
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError

PLAIN = LoadedModel(nn.Linear(2, 2), False, None, None, None, {}, {})


@pytest.fixture
def source(tmp_path):
    table = pa.table(
        {"text": ["a", "b"], "x": [1.0, 2.0], "label": [0, 1], "subject_id": ["s", "t"]}
    )
    for name in ("train", "holdout"):
        write_deltalake(str(tmp_path / name), table)
    return ModelSource(
        model="mails",
        dataset=DatasetSpec(f"file://{tmp_path}/train", ("text",), "label", "subject_id"),
        dataset_version=None,
        holdout=f"file://{tmp_path}/holdout",
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
    )


def test_texts_for_a_model_without_a_tokenizer_are_refused(services, source):
    with pytest.raises(DataError, match="'text' holds texts, and mails has no tokenizer"):
        with_tokenizer(services, source, PLAIN)


def test_numbers_go_in_as_they_are(services, source):
    numbers = replace(source, dataset=replace(source.dataset, features=("x",)))
    assert not reads_text(services, numbers)
    assert with_tokenizer(services, numbers, PLAIN) is numbers
