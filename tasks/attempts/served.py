"""Whether the version that is enrolled is the one that answers, and whose requests wait if not."""

from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry.services import Services
from tasks.subjects.matches import matches, searches


def why_unserved(services: Services, enrollment: Enrollment) -> str:
    """Why nobody knows whether the enrolled version answers, and what to do; empty if it does.

    Cost: a question to MLflow, and one more where nothing holds the alias.
    """
    model, alias = enrollment.model, services.settings.alias
    champion = services.registry.alias_version(model)
    if champion == enrollment.version:
        return ""
    if champion is not None:
        return (
            f"The alias of {model} points to version {champion}, but version {enrollment.version} "
            f"is enrolled; enrol version {champion} with `expunge enroll {model}`."
        )
    out = f"`expunge unenroll {model} --by NAME --reason TEXT`"
    if services.registry.is_registered(model):
        return (
            f"No version of {model} holds the alias {alias!r}, so nobody knows which one answers; "
            f"set it in MLflow on the version in service, or take the model out with {out}."
        )
    return (
        f"MLflow has no model {model} any more, and its weights may be served elsewhere; restore "
        f"it with its alias {alias!r}, or take it out with {out}."
    )


def unserved(services: Services) -> dict[str, str]:
    """By model, why nobody knows whether its enrolled version answers; not of those withdrawn."""
    found = {
        e.model: why_unserved(services, e)
        for e in enrolled_models(services.journal)
        if not e.is_withdrawn
    }
    return {model: why for model, why in found.items() if why}


def concerned(services: Services, batch: str, model: str) -> set[str]:
    """Records of the batch with rows in a table that the model was ever enrolled with."""
    tables = read_model(services.journal, model).ties.columns
    found = matches(services, batch) if searches(services, batch) else []
    return {record for one in found if one.uri in tables for record in one.rows}
