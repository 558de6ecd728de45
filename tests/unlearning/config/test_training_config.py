from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.training_config import TrainingConfig
from unlearning.errors import SettingsError

NAN, INF = float("nan"), float("inf")


def test_the_defaults_are_in_range_and_frozen():
    config = TrainingConfig()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(TrainingConfig)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", NAN),
        ("alpha", -0.1),
        ("alpha", INF),
        ("restriction", "both"),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        TrainingConfig(**{field: value})
