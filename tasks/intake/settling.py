"""Files that may still be growing: whoever copies into a directory may be at it while we look."""

from collections.abc import Sequence

from tasks.registry.services import Services
from tasks.store.objects import ObjectInfo

_LOOK = "requests/look"
"""Written to learn what time it is where the files lie: their clock need not be ours."""


def growing(services: Services, files: Sequence[ObjectInfo], whole: str) -> set[str]:
    """Keys of the files that may still be growing.

    That is every file of a directory that changed less than `settle_seconds` ago, by the clock of
    its own file system, unless its key begins with `whole`: there files appear by a rename. Cost:
    one small write if any file can grow.
    """
    can_grow = [one for one in files if one.may_grow and not one.key.startswith(whole)]
    patience = services.settings.settle_seconds
    if not (can_grow and patience):
        return set()
    services.store.put(_LOOK, b"")
    (look,) = services.store.list_objects(_LOOK)
    return {one.key for one in can_grow if look.changed_at - one.changed_at < patience}
