"""Limits of configured numbers; a refusal names the option and says what to give."""

from math import inf

from unlearning.errors import SettingsError

LARGEST = 2**53 - 1
"""Largest whole number that every reader of JSON keeps exactly (RFC 8785)."""


def require_at_least(name: str, value: int, lowest: int) -> None:
    """Raise SettingsError unless the value is at least the lowest, and kept exactly by JSON."""
    if not value >= lowest:
        raise SettingsError(f"{name} is {value}; give at least {lowest}.")
    if not value <= LARGEST:
        raise SettingsError(f"{name} is {value}; give at most {LARGEST}.")


def require_positive(name: str, value: float) -> None:
    """Raise SettingsError unless the value is finite and above 0."""
    if not 0.0 < value < inf:
        raise SettingsError(f"{name} is {value}; give a finite number above 0.")


def require_within(name: str, value: float, lowest: float, highest: float) -> None:
    """Raise SettingsError unless the value is finite and from the lowest to the highest."""
    if not (lowest <= value <= highest and value < inf):
        raise SettingsError(f"{name} is {value}; give a finite number from {lowest} to {highest}.")


def require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise SettingsError unless the value is one of the choices."""
    if value not in choices:
        raise SettingsError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
