"""`expunge retire`: purge old model versions that remember erased people."""

from rich.table import Table

from flows.console import Plain
from tasks.environment.settings import load_settings, prepare_prefect
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.versions.retirement import survey
from unlearning.policy.retirement import Verb

_DOING: dict[Verb, str] = {
    "retire": "to be retired",
    "wait": "retired",
    "keep": "retired, must stay",
    "purge": "retired, due",
    "alarm": "served",
    "none": "purged",
}


def retire(*, dry_run: bool = False) -> None:
    """Retire versions that remember erased people, and purge those whose days are over.

    A retired version is out of use at once and purged after EXPUNGE_RETIREMENT_DAYS: the version,
    its files in MLflow's artifact store and what expunge keeps of it; then every place is listed.

    Parameters
    ----------
    dry_run
        Only show what would be done.
    """
    services = Services.open(load_settings())
    services.store.check()
    try:
        if not dry_run:
            prepare_prefect()
            from flows.retire_versions import retire_versions

            retire_versions()
    finally:
        Plain().print(_table(services))


def _table(services: Services) -> Table:
    table = Table(title="Old model versions", title_justify="left", header_style="bold")
    for name in ("model", "version", "state", "purge on", "reason"):
        table.add_column(name, overflow="fold")
    for enrollment in enrolled_models(services.journal):
        for action in survey(services, enrollment.model):
            table.add_row(
                enrollment.model,
                str(action.version),
                _DOING[action.verb],
                action.purge_on.isoformat() if action.purge_on else "",
                action.reason,
            )
    return table
