from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "kind",
    [
        TrainingConfig,
        CalibrationConfig,
        UnlearningConfig,
        GatePolicy,
        DeletionBudget,
        ApprovalPolicy,
    ],
)
def test_defaults_are_in_range_and_frozen(kind):
    config = kind()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(kind)[0].name, 3)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (TrainingConfig, "epochs", 0),
        (TrainingConfig, "batch_size", 0),
        (TrainingConfig, "learning_rate", 0.0),
        (TrainingConfig, "learning_rate", NAN),
        (TrainingConfig, "alpha", -0.1),
        (TrainingConfig, "alpha", INF),
        (TrainingConfig, "restriction", "both"),
        (TrainingConfig, "seed", -1),
        (CalibrationConfig, "max_steps", 0),
        (CalibrationConfig, "forget_batch", 0),
        (CalibrationConfig, "min_retain_batch", 0),
        (CalibrationConfig, "retain_weight", -0.1),
        (CalibrationConfig, "retain_weight", 2e6),
        (CalibrationConfig, "full_weight_rows", 0),
        (CalibrationConfig, "relaxation", 0.0),
        (CalibrationConfig, "relaxation", 2.1),
        (CalibrationConfig, "momentum", 1.0),
        (CalibrationConfig, "momentum", NAN),
        (CalibrationConfig, "sketch_rows", 0),
        (CalibrationConfig, "sketch_batch", 0),
        (CalibrationConfig, "damping", 0.0),
        (CalibrationConfig, "tolerance", 0.0),
        (CalibrationConfig, "tolerance", NAN),
        (CalibrationConfig, "remaining_share", -0.1),
        (CalibrationConfig, "remaining_share", 1.1),
        (CalibrationConfig, "difficulty_share", -0.01),
        (CalibrationConfig, "difficulty_share", 1.01),
        (CalibrationConfig, "min_class_rows", 0),
        (UnlearningConfig, "method", "magic"),
        (UnlearningConfig, "learning_rate", INF),
        (UnlearningConfig, "step_size", -1.0),
        (UnlearningConfig, "chunk_size", 0),
        (UnlearningConfig, "precision", "float16"),
        (UnlearningConfig, "retain_sample", 0),
        (UnlearningConfig, "holdout_sample", 0),
        (UnlearningConfig, "seed", -1),
        (GatePolicy, "max_holdout_accuracy_loss", -0.01),
        (GatePolicy, "max_retain_accuracy_loss", 1.1),
        (GatePolicy, "max_mia_auc", 0.49),
        (GatePolicy, "min_mia_auc", 0.51),
        (GatePolicy, "max_accuracy_advantage", -0.01),
        (GatePolicy, "max_accuracy_advantage", NAN),
        (GatePolicy, "max_class_accuracy_loss", NAN),
        (GatePolicy, "max_exact_accuracy_loss", -0.1),
        (GatePolicy, "max_slice_accuracy_loss", 1.1),
        (GatePolicy, "max_exact_slice_accuracy_loss", NAN),
        (GatePolicy, "min_slice_rows", 0),
        (GatePolicy, "max_possible_loss", 1.1),
        (GatePolicy, "max_exact_possible_loss", NAN),
        (GatePolicy, "remaining_share", 1.1),
        (GatePolicy, "false_alarm", 0.0),
        (GatePolicy, "false_alarm", 0.6),
        (GatePolicy, "min_power", NAN),
        (GatePolicy, "min_class_rows", 0),
        (GatePolicy, "references", -1),
        (GatePolicy, "reference_rows", 0),
        (GatePolicy, "withdraw_days", -1),
        (GatePolicy, "undecided", "maybe"),
        (DeletionBudget, "max_share", -0.01),
        (DeletionBudget, "max_share", NAN),
        (DeletionBudget, "max_class_share", 1.01),
        (DeletionBudget, "max_updates", -1),
        (ApprovalPolicy, "max_share", -0.01),
        (ApprovalPolicy, "max_share", 1.01),
        (ApprovalPolicy, "max_share", NAN),
        (ApprovalPolicy, "max_rows", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(kind, field, value):
    with pytest.raises(ValueError, match=field):
        kind(**{field: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"difficulty_share": 0.0},
        {"difficulty_share": 1.0},
        {"retain_weight": 0.0, "momentum": 0.0, "remaining_share": 0.0, "relaxation": 2.0},
        {"forget_batch": 1, "min_retain_batch": 1, "min_class_rows": 1, "max_steps": 1},
        {"sketch_rows": 1, "sketch_batch": 1, "remaining_share": 1.0, "tolerance": 0.5},
    ],
)
def test_the_ends_of_the_calibration_ranges_belong_to_them(changes):
    config = UnlearningConfig(calibration=CalibrationConfig(**changes))
    assert all(getattr(config.calibration, name) == value for name, value in changes.items())


def test_every_number_of_the_calibration_is_checked():
    for item in fields(CalibrationConfig):
        with pytest.raises(ValueError, match=item.name):
            CalibrationConfig(**{item.name: NAN})
