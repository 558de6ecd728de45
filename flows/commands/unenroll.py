"""`expunge unenroll`: take a model out, by name and reason."""

from flows.console import Plain
from tasks.attempts.unenrolling import unenroll as take_out
from tasks.environment.settings import load_settings
from tasks.registry.services import Services


def unenroll(model: str, *, by: str, reason: str) -> None:
    """Take a model out: no batch asks it any more, and no request waits for it.

    It forgets nobody by that. What its weights learned stays on record, its tables are still
    searched, and versions that remembered before are still retired. Certificates say that it was
    not asked, who took it out, when and why. `expunge enroll` takes it on again.

    Parameters
    ----------
    model
        Registered model name.
    by
        Name of the person who decides; kept in the journal and in certificates.
    reason
        Why it need not be asked; kept in the journal and in certificates.
    """
    services = Services.open(load_settings())
    services.store.check()
    served = take_out(services, model, name=by, reason=reason)
    console = Plain()
    console.print(f"Took {model} out: no batch asks it any more")
    if served is not None:
        alias = services.settings.alias
        console.print(
            f"Version {served} still holds the alias {alias!r} and may serve what it remembers: "
            "certificates will say so. Take the alias away in MLflow if nobody is to be served."
        )
