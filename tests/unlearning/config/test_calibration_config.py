from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import SettingsError

NAN = float("nan")


def test_the_defaults_are_in_range_and_frozen():
    config = CalibrationConfig()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(CalibrationConfig)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_steps", 0),
        ("forget_batch", 0),
        ("min_retain_batch", 0),
        ("retain_weight", -0.1),
        ("retain_weight", 2e6),
        ("full_weight_rows", 0),
        ("relaxation", 0.0),
        ("relaxation", 2.1),
        ("momentum", 1.0),
        ("momentum", NAN),
        ("sketch_rows", 0),
        ("sketch_batch", 0),
        ("damping", 0.0),
        ("tolerance", 0.0),
        ("tolerance", NAN),
        ("remaining_share", -0.1),
        ("remaining_share", 1.1),
        ("difficulty_share", -0.01),
        ("difficulty_share", 1.01),
        ("min_class_rows", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        CalibrationConfig(**{field: value})


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
        with pytest.raises(SettingsError, match=item.name):
            CalibrationConfig(**{item.name: NAN})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("forgotten", "is_small"), [(1, True), (256, True), (257, False)])
def test_a_forget_set_is_small_up_to_the_rows_of_the_closed_form(forgotten, is_small):
    assert CalibrationConfig(closed_form_rows=256).is_small(forgotten) is is_small
    assert not CalibrationConfig(closed_form_rows=256, forget_batch=255).is_small(256)
    assert not CalibrationConfig(closed_form_rows=0).is_small(1)
