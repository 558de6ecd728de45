from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config import GatePolicy, TrainingConfig, UnlearningConfig

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("kind", [TrainingConfig, UnlearningConfig, GatePolicy])
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
        (UnlearningConfig, "method", "magic"),
        (UnlearningConfig, "learning_rate", INF),
        (UnlearningConfig, "step_size", -1.0),
        (UnlearningConfig, "chunk_size", 0),
        (UnlearningConfig, "retain_sample", 0),
        (UnlearningConfig, "holdout_sample", 0),
        (UnlearningConfig, "seed", -1),
        (GatePolicy, "max_holdout_accuracy_drop", -0.01),
        (GatePolicy, "max_retain_accuracy_drop", 1.1),
        (GatePolicy, "max_mia_auc", 0.49),
        (GatePolicy, "min_mia_auc", 0.51),
        (GatePolicy, "max_mia_uncertainty", NAN),
        (GatePolicy, "confidence_z", 0.0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(kind, field, value):
    with pytest.raises(ValueError, match=field):
        kind(**{field: value})
