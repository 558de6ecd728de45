"""Range checks of configurations; each refusal names the field and what to give."""

from math import inf

from unlearning.errors import SettingsError


def at_least(name: str, value: int, lowest: int) -> None:
    """Nothing, if the value is at least the lowest; else SettingsError."""
    if not value >= lowest:
        raise SettingsError(f"{name} is {value}; give at least {lowest}.")


def positive(name: str, value: float) -> None:
    """Nothing, if the value is finite and above 0; else SettingsError."""
    if not 0.0 < value < inf:
        raise SettingsError(f"{name} is {value}; give a finite number above 0.")


def within(name: str, value: float, lowest: float, highest: float) -> None:
    """Nothing, if the value is finite and in the range; else SettingsError."""
    if not (lowest <= value <= highest and value < inf):
        raise SettingsError(f"{name} is {value}; give a finite number from {lowest} to {highest}.")


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Nothing, if the value is one of the choices; else SettingsError."""
    if value not in choices:
        raise SettingsError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
