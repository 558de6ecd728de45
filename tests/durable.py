"""What a store holds for ever, so that tests can tell whether a run changed anything."""

PASSING = ("lease/", "scans/", "journal/finished/", "packs/", "probe/")
"""Signs of life, trials and caches: every run may write them; without them nothing is lost."""


def durable(store) -> list[tuple[str, str]]:
    """Key and version of every object that is no sign of life and no cache."""
    return [(i.key, i.version) for i in store.list_objects("") if not i.key.startswith(PASSING)]
