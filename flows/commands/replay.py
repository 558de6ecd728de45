"""`expunge replay`: after a restore, re-apply every erasure that it undid."""

from flows.console import Plain, command
from tasks.environment.settings import load_settings, prepare_prefect
from tasks.registry.services import Services
from tasks.subjects.returned import noted_waiting
from unlearning.policy.counted import counted

_CHOICES = ("erase-again", "reinstate")


def replay() -> None:
    """Look for erased subjects in every table, and for aliases that point to what remembers them.

    Run it after a table or a model was restored from a backup; the deployment `replay-erasures`
    does so every hour. Aliases are put back at once; subjects who are back get requests, which
    `expunge run` works off. Safe to repeat: with nothing to mend it changes nothing.
    """
    services = Services.open(load_settings())
    services.store.check()
    prepare_prefect()
    from flows.replay_erasures import replay_erasures

    count = replay_erasures()
    console = Plain()
    if count:
        are = "is" if count == 1 else "are"
        console.print(f"{counted(count, 'erased subject')} {are} back; requests are written.")
        console.print(command("Next:", "expunge run"))
    waiting = _say_who_waits(console, services)
    if not (count or waiting):
        console.print("Nobody who was erased is back.")


def _say_who_waits(console: Plain, services: Services) -> int:
    """Say how many are back with new rows, and what decides about them; returns how many."""
    waiting = len(noted_waiting(services))
    if waiting:
        have = "has" if waiting == 1 else "have"
        console.print(
            f"{counted(waiting, 'erased subject')} {have} new rows, which nobody asked to erase; "
            "they wait until somebody decides."
        )
        choices = (f"expunge {one} PSEUDONYM --by NAME --reason TEXT" for one in _CHOICES)
        console.print(command("Decide, about each that expunge status names:", *choices))
    return waiting
