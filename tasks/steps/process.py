"""The services of this process, built once for all its steps."""

from functools import cache

from tasks.environment.settings import Settings, load_settings
from tasks.registry.services import Services
from tasks.store.pseudonym_keys import check_of


def services() -> Services:
    """The services of the settings as they are now.

    Raises:
        SettingsError: a setting is unknown or does not fit.
    """
    settings = load_settings()
    return _opened(settings, check_of(settings.pseudonym_secret()))


@cache  # by value: other settings have other services, and so has another key
def _opened(settings: Settings, _key: str) -> Services:
    return Services.open(settings)
