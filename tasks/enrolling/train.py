"""Train a model here, on rows of people who may ask to be erased."""

import logging
from dataclasses import asdict

import numpy as np
from torch import nn

from tasks.datasets.rows import TableRows
from tasks.enrolling.source import ModelSource, pinned
from tasks.environment.device import pick_device
from tasks.foreign_errors import translated
from tasks.registry import logged_files, mlflow_registry
from tasks.registry.mlflow_registry import LEFT_OUT_TAG
from tasks.registry.services import Services
from tasks.subjects.reappearance import scan_table, suppressed_ids
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import DataError
from unlearning.model.weights import model_digest
from unlearning.policy.digests import SHORT, bytes_digest
from unlearning.training.architectures import mlp
from unlearning.training.training import train

log = logging.getLogger("expunge.training")


def train_version(
    services: Services, source: ModelSource, hidden: tuple[int, ...], config: TrainingConfig
) -> int:
    """Train a multilayer perceptron with gradient restriction; register it under the alias.

    Rows of erased subjects who are back in the table are left out.
    """
    source = pinned(services, source)
    seen = scan_table(services, source.dataset.uri, source.dataset.who, source.dataset_version)
    without = suppressed_ids(services, source.dataset, source.dataset_version)
    module = _train(services, source, hidden, config, without)
    effect = (
        f"train/{_training_key(source, hidden, config)}/{model_digest(module.state_dict())[:SHORT]}"
    )
    version = services.registry.find_version(source.model, effect)
    if version is None:
        run_id = services.registry.ensure_run(
            mlflow_registry.TRAINING_EXPERIMENT, effect, f"train {source.model}"
        )
        _log_parameters(services, run_id, config, hidden)
        # Two rows: with one, torch.export would fix the batch size at one.
        example = np.zeros((2, *_input_shape(services, source)), dtype=np.float32)
        uri = logged_files.log_new(services.settings, run_id, module.cpu(), example)
        tags = {
            mlflow_registry.EFFECT_TAG: effect,
            LEFT_OUT_TAG: seen.listed,
            "expunge.restriction": config.restriction,
            "expunge.alpha": str(config.alpha),
        }
        services.registry.create_version(source.model, uri, run_id, tags)
        version = services.registry.find_version(source.model, effect)
    if version is None:
        raise DataError(f"MLflow lost the version of {source.model} that was just created.")
    services.registry.set_alias(source.model, version)
    log.info("%s version %d trained, alias %s", source.model, version, services.settings.alias)
    return version


def _train(
    services: Services,
    source: ModelSource,
    hidden: tuple[int, ...],
    config: TrainingConfig,
    without: list[str],
) -> nn.Module:
    spec, version = source.dataset, source.dataset_version
    rows = TableRows(services.settings, spec, version, without=without)
    inputs = int(np.prod(_input_shape(services, source)))
    classes = 1 + max(int(labels.max()) for _, labels in rows.chunks(65536))
    module = mlp(inputs=inputs, hidden=hidden, classes=classes, seed=config.seed)

    def report(epoch: int, loss: float) -> None:
        if epoch == config.epochs or epoch % max(1, config.epochs // 6) == 0:
            log.info("epoch %d of %d: loss %.4f", epoch, config.epochs, loss)

    train(module, rows, config, device=pick_device(services.settings), on_epoch=report)
    return module


def _input_shape(services: Services, source: ModelSource) -> tuple[int, ...]:
    inputs, _ = next(TableRows(services.settings, source.dataset, source.dataset_version).chunks(1))
    return tuple(inputs.shape[1:])


def _training_key(source: ModelSource, hidden: tuple[int, ...], config: TrainingConfig) -> str:
    facts = {"uri": source.dataset.uri, "version": source.dataset_version, "hidden": list(hidden)}
    return bytes_digest(repr((facts, asdict(config))).encode())[:SHORT]


def _log_parameters(
    services: Services, run_id: str, config: TrainingConfig, hidden: tuple[int, ...]
) -> None:
    from mlflow.entities import Param

    params = {**asdict(config), "hidden": ",".join(map(str, hidden))}
    with translated("MLflow"):
        services.registry.client.log_batch(
            run_id, params=[Param(k, str(v)) for k, v in params.items()]
        )
