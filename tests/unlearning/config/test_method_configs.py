import pytest

from unlearning.config.method_configs import CurvatureConfig, DescentConfig, ScrubConfig
from unlearning.errors import SettingsError


@pytest.mark.parametrize("kind", [CurvatureConfig, DescentConfig, ScrubConfig])
def test_the_defaults_are_in_range(kind):
    assert kind() == kind()


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (DescentConfig, "epochs", 0),
        (DescentConfig, "batch_size", 0),
        (DescentConfig, "learning_rate", 0.0),
        (DescentConfig, "retain_weight", 1.1),
        (ScrubConfig, "max_epochs", 0),
        (ScrubConfig, "min_epochs", 2),  # fewer than those that also leave the teacher
        (ScrubConfig, "forget_batch", 0),
        (ScrubConfig, "batch_size", 0),
        (ScrubConfig, "learning_rate", -1.0),
        (ScrubConfig, "temperature", 0.0),
        (ScrubConfig, "distillation_weight", -0.1),
        (ScrubConfig, "loss_weight", float("nan")),
        (CurvatureConfig, "rows", 0),
        (CurvatureConfig, "iterations", 0),
        (CurvatureConfig, "damping", 0.0),
        (CurvatureConfig, "scale", 0.0),
        (CurvatureConfig, "noise", float("inf")),
        (CurvatureConfig, "noise_limit", 0.0),
        (CurvatureConfig, "selection", 0.0),
        (CurvatureConfig, "dampening", -1.0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(kind, field, value):
    with pytest.raises(SettingsError, match=field):
        kind(**{field: value})
