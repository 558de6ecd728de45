"""Which form a store's objects have: a number that whoever opens it compares first."""

import json

from tasks.store.objects import MissingObjectError, ObjectStore
from unlearning.errors import SettingsError

FORMAT = 1
"""The form that this release reads and writes."""
KEY = "format.json"


def check_format(store: ObjectStore) -> bool:
    """Whether the store says that its form is ours; False if it is new and says nothing yet.

    Raises:
        SettingsError: it has another form, or objects and no form at all.
    """
    try:
        found = json.loads(store.get(KEY)).get("format")
    except MissingObjectError:
        if next(iter(store.list_objects("journal/")), None) is None:
            return False
        found = "none"
    except (ValueError, AttributeError):
        found = "an unreadable one"
    if found != FORMAT:
        raise SettingsError(
            f"The store {store.uri} has format {found}, and this release reads format {FORMAT}; "
            "use the release that wrote it, or set EXPUNGE_STORE to another place."
        )
    return True


def write_format(store: ObjectStore) -> None:
    """Say which form the store has, once.

    Raises:
        SettingsError: another release was quicker, and said otherwise.
    """
    if not store.put_if_absent(KEY, json.dumps({"format": FORMAT}).encode()):
        check_format(store)
