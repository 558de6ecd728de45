"""`expunge rotate-key`: go on under a new pseudonym key."""

from flows.console import Plain
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.subjects.key_rotation import rotate


def rotate_key(*, by: str) -> None:
    """Make every pseudonym anew under a further key, in the store and in MLflow.

    Whoever has the old key alone recognises nobody in them any more. Needs both keys, and no open
    batch. If it is stopped, every other command is refused until it is run again.

    Parameters
    ----------
    by
        Name of the person who decides; kept in the store.
    """
    services = Services.open(load_settings())
    services.store.check()
    console = Plain()
    if rotate(services, name=by):
        console.print("The key is rotated; back up pseudonym.key, which holds all keys now")
    else:
        console.print(
            "The key is rotated; from now on set EXPUNGE_PSEUDONYM_KEY to what it was, a comma, "
            "and EXPUNGE_NEXT_PSEUDONYM_KEY, and unset the latter"
        )
