"""Models that could not be asked to forget: out of service before, or taken out by a person."""

from dataclasses import asdict
from typing import Any

from tasks.journal.events import ids
from tasks.journal.events.batches import ModelOutOfService
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry.services import Services


def note_out_of_service(services: Services, batch: str, table: str) -> None:
    """Record models of this table that were out of service before: their weights may remember."""
    for enrollment in enrolled_models(services.journal):
        if not enrollment.is_withdrawn or enrollment.dataset.uri != table:
            continue
        history = read_model(services.journal, enrollment.model)
        by, out = history.withdrawn_by, history.taken_out
        if by == batch:
            continue
        noted = ModelOutOfService(
            model=enrollment.model,
            dataset=table,
            parent_version=enrollment.version,
            parent_digest=enrollment.digest,
            withdrawn_by=by,
            taken_out_by=out.name if out else "",
            taken_out_on=history.taken_out_on,
            why=out.reason if out else "",
        )
        services.journal.append(batch_stream(batch), ids.out_of_service(noted.model), noted)


def why_out_of_service(noted: ModelOutOfService) -> str:
    """What took the model out of service, as it goes on after the model's name."""
    if noted.taken_out_by:
        return f"was taken out by {noted.taken_out_by} on {noted.taken_out_on}: {noted.why}"
    if noted.withdrawn_by:
        return f"was withdrawn by batch {noted.withdrawn_by}"
    return "lost its alias, since no version of it without erased subjects was left"


def not_asked(noted: ModelOutOfService) -> str:
    """That, and what follows, as it goes on after the model's name."""
    why = why_out_of_service(noted).removesuffix(".")
    serving = "; it may still be served, and" if noted.taken_out_by else ", and serves nobody;"
    return f"{why}{serving} its weights were not made to forget these rows."


def statement(noted: ModelOutOfService) -> dict[str, Any]:
    """What a certificate says of it."""
    named = {n: v for n, v in asdict(noted).items() if v and n not in ("withdrawn_by", "why")}
    outcome = "not asked" if noted.taken_out_by else "out of service"
    return {**named, "outcome": outcome, "reason": f"It {not_asked(noted)}"}
