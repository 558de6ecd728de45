import os
from typing import Literal

import models_of_others
import numpy as np
import pytest
import torch
from deltalake import DeltaTable
from mlflow import MlflowClient
from models_of_others import Convolutions, LogOdds
from terminal import request
from torch import nn

from unlearning.config.training_config import TrainingConfig
from unlearning.model.rows import TensorRows
from unlearning.training.training import train

pytestmark = pytest.mark.integration


def rows_of(place: str):
    table = DeltaTable(place).to_pyarrow_table()
    features = np.stack(table["features"].to_numpy()).astype(np.float32)
    images = torch.from_numpy(features).reshape(-1, 1, 5, 8) / 2
    return images, torch.from_numpy(table["label"].to_numpy().copy())


def trained(place: str) -> Convolutions:
    model = Convolutions(outputs=2)
    train(
        model,
        TensorRows(*rows_of(place)),
        TrainingConfig(epochs=12, batch_size=64, learning_rate=3e-3),
    )
    return model


def register(terminal, model: nn.Module, example, *, form: Literal["pickle", "pt2"]) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{terminal.home / 'mlflow.db'}")
    experiment = mlflow.create_experiment("theirs", f"file://{terminal.home}/theirs")
    with mlflow.start_run(experiment_id=experiment):
        mlflow.pytorch.log_model(
            model.eval(),
            name="model",
            input_example=example,
            registered_model_name="photos",
            serialization_format=form,
            pip_requirements=["torch"],
            code_paths=[models_of_others.__file__] if form == "pickle" else None,
        )
    MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}").set_registered_model_alias(
        "photos", "champion", "1"
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "form",
    [
        "pt2",
        pytest.param("pickle", marks=pytest.mark.slow),
        pytest.param("log_odds", marks=pytest.mark.slow),
    ],
)
def test_a_model_trained_elsewhere_is_enrolled_unlearned_and_served_as_before(terminal, form):
    model, images = trained(terminal.train_table), rows_of(terminal.train_table)[0]
    more = ["--loss", "binary_cross_entropy"] if form == "log_odds" else []
    more += ["--trust-pickle"] if form == "pickle" else []
    register(
        terminal,
        LogOdds(model) if form == "log_odds" else model,
        # Two rows of people who will ask to be forgotten.
        images[:2].numpy(),
        form="pickle" if form == "pickle" else "pt2",
    )
    options = [*terminal.source(), "--shape", "1", "5", "8", "--scale", "2", *more]
    if form == "pickle":
        refused = [a for a in options if a != "--trust-pickle"]
        assert "runs code" in terminal.expunge("enroll", "photos", *refused, status=2)
    terminal.expunge("enroll", "photos", *options)
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])
    said = terminal.expunge("run")
    assert "serving input example" not in said  # it is a row of somebody's

    check_successor(terminal, images, form)


def check_successor(terminal, images, form):
    import mlflow

    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
    mlflow.set_tracking_uri(f"sqlite:///{terminal.home / 'mlflow.db'}")
    old, new = (mlflow.pytorch.load_model(f"models:/photos/{v}") for v in (1, 2))
    new_scores, old_scores = (m(images[:64]).detach() for m in (new, old))
    assert new_scores.shape == old_scores.shape
    assert not new_scores.equal(old_scores)
    infos = [mlflow.models.get_model_info(f"models:/photos/{v}") for v in (1, 2)]
    assert infos[0].signature == infos[1].signature
    assert infos[0].flavors["pytorch"].keys() == infos[1].flavors["pytorch"].keys()
    buffers = [dict(m.named_buffers()) for m in (old, new)]
    assert all(value.equal(buffers[1][name]) for name, value in buffers[0].items())
    # The example of version 1 was a forgotten person's row; version 2 must not carry it on.
    files = mlflow.artifacts.download_artifacts("models:/photos/2")
    example = mlflow.models.Model.load(files).load_input_example(files)
    assert not np.asarray(example).any()
    assert set(terminal.outcomes().values()) == {"erased"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_nothing_helps_ends_without_its_alias_where_its_owner_chose_that(terminal):
    model, images = trained(terminal.train_table), rows_of(terminal.train_table)[0]
    register(terminal, model, images[:2].numpy(), form="pt2")
    options = ["--shape", "1", "5", "8", "--scale", "2", "--last-resort", "withdraw"]
    source = terminal.source("budget.max_updates = 0")
    terminal.expunge("enroll", "photos", *source, *options)
    terminal.submit("overdue.jsonl", [request(i) for i in range(150)])

    printed = terminal.expunge("run", status=1)

    assert "must be retrained, which expunge cannot do" in printed
    assert "ALARM" in printed
    assert set(terminal.outcomes().values()) == {"erased"}
    aliases = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}").get_registered_model(
        "photos"
    )
    assert aliases.aliases == {}
    report = next((terminal.home / "store/reports").glob("b-*/erasure.html")).read_text()
    assert "Led nowhere" in report
    assert "Taken out of service" in report
