from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import SettingsError

INF = float("inf")


def test_the_defaults_are_in_range_and_frozen():
    config = UnlearningConfig()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(UnlearningConfig)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "magic"),
        ("learning_rate", INF),
        ("step_size", -1.0),
        ("chunk_size", 0),
        ("precision", "float16"),
        ("retain_sample", 0),
        ("holdout_sample", 0),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        UnlearningConfig(**{field: value})
