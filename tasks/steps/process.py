"""The services of this process, built once for all its steps."""

from functools import cache

from tasks.environment.settings import Settings, load_settings
from tasks.registry.services import Services


def services() -> Services:
    """The services of the settings as they are now.

    Raises:
        SettingsError: a setting is unknown or does not fit.
    """
    return _opened(load_settings())


@cache  # by value: other settings have other services
def _opened(settings: Settings) -> Services:
    return Services.open(settings)
