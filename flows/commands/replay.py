"""`expunge replay`: after a restore, re-apply every erasure that it undid."""

from rich.console import Console

from tasks.environment.settings import load_settings, prepare_prefect
from tasks.registry.services import Services


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
    console = Console()
    if count:
        console.print(f"{count} erased subjects are back; requests are written.", highlight=False)
        console.print("Next: [bold]expunge run[/]", highlight=False)
    else:
        console.print("Nobody who was erased is back.", highlight=False)
