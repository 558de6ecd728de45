"""What the next run would do, found by walking its way with every effect left out.

The way is that of `tasks.pipeline`: whatever is planned there is planned here. Over services that
are `rehearsing` nothing is recorded either, and no file is claimed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks import pipeline
from tasks.approval.preflights import preflight_of
from tasks.attempts import unhindered
from tasks.certificates.status import RequestSummary, requests
from tasks.intake import batches
from tasks.intake.inbox import growing_count
from tasks.journal.events.attempt import Attempt
from tasks.journal.reading import enrolled_models, read_batch, read_enrollment, read_model
from tasks.registry import model_files
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.subjects import open_batches, resolution
from tasks.subjects.matches import matches
from unlearning.errors import ExpungeError, ModelError, TransientError
from unlearning.methods.retrain import retrain_obstacle
from unlearning.policy.approval import ModelPreflight
from unlearning.policy.deadlines import due_on
from unlearning.policy.ladder import ModelOutcome
from unlearning.policy.prospects import Prospect, prospect


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """What a model would go through."""

    preflight: ModelPreflight
    reason: str
    """Why not by the enrolment's own method, in one sentence; empty if by that."""
    prospect: Prospect


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """What a batch would go through."""

    batch: str
    due_on: str
    """Empty if none of its requests is due."""
    requests: tuple[RequestSummary, ...]
    models: tuple[PlannedModel, ...]
    rows: dict[str, int]
    """Rows to erase by table."""
    waits: tuple[str, ...]
    """Why it would wait for approval, in sentences; empty if it would not."""
    trouble: str
    """What would stop it, in one sentence; empty if nothing that can be seen from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the next run would do."""

    batches: tuple[PlannedBatch, ...]
    growing: int
    """Files that it would leave for a later run, since they may still be growing."""


class _Walk(pipeline.Steps):
    """The steps up to the first effect on a model or a table; the others do nothing."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.plans: dict[str, Attempt] = {}
        self.waits = False

    def resolve_rows(self, batch: str) -> dict[str, int]:
        """The search, and who goes ahead: a run also tries whether files can be removed."""
        found = resolution.resolve(self.services, batch)
        unhindered.send_unhindered(self.services, batch)
        return found

    def plan_unlearning(self, batch: str, model: str) -> Attempt | None:
        """The plan, kept."""
        found = super().plan_unlearning(batch, model)
        if found is not None:
            self.plans[model] = found
        return found

    def seek_approval(self, batch: str, plans: list[Attempt]) -> bool:
        """The answer, kept."""
        may = super().seek_approval(batch, plans)
        self.waits = not may
        return may

    def suppress_subjects(self, batch: str) -> int:  # noqa: ARG002
        """Nothing."""
        return 0

    def tables_to_erase(self, batch: str) -> list[str]:  # noqa: ARG002
        """None."""
        return []

    def erase_objects(self, batch: str) -> None:
        """Nothing, also of a batch that stopped before it deleted them."""

    def certify_requests(self, batch: str) -> int:  # noqa: ARG002
        """Nothing."""
        return 0

    def mirror_audit(self, batch: str) -> None:
        """Nothing."""

    def close_batch(self, batch: str) -> None:
        """Nothing."""


def plan(services: Services) -> Plan:
    """What a run would do to each request, table and model, as things stand now.

    Batches are looked at one by one, as if none of them had been worked off yet. Cost: validation
    and search of what is open, and each model to be changed is loaded once.

    Raises:
        TransientError: a system is away.
    """
    growing = growing_count(services)
    models = [e.model for e in enrolled_models(services.journal) if not e.is_withdrawn]
    names = open_batches.open_batches(services)
    found = {batch: _batch(services, batch, models) for batch in names}
    for batch in names:
        if read_batch(services.journal, batch).status == "blocked":
            unhindered.send_unhindered(services, batch)
    ahead = [one for one in open_batches.unfinished(services) if one not in found]
    if ahead:  # who need not wait left their batch, which has others to forget now
        found = {batch: _batch(services, batch, models) for batch in (*names, *ahead)}
    return Plan(batches=tuple(found.values()), growing=growing)


def _batch(services: Services, batch: str, models: Sequence[str]) -> PlannedBatch:
    walk, trouble = _Walk(services), ""
    try:
        pipeline.process_batch(walk, batch, models, _left_out)
    except TransientError:
        raise
    except ExpungeError as error:
        trouble = str(error)
    asked = read_batch(services.journal, batch).asked
    return PlannedBatch(
        batch=batch,
        due_on=_due_on(services, batch),
        requests=tuple(requests(services, batch)),
        models=tuple(_model(services, one) for one in walk.plans.values()),
        rows=_rows(services, batch),
        waits=tuple(asked.reasons) if walk.waits and asked else (),
        trouble=trouble,
    )


def _left_out(_: str, model: str) -> ModelOutcome:
    """Neither made nor erased: a blocked model keeps the tables as they are."""
    return ModelOutcome(model, "blocked")


def _model(services: Services, attempt: Attempt) -> PlannedModel:
    found = preflight_of(services, attempt)
    enrollment = read_enrollment(services.journal, attempt.model)
    power = read_model(services.journal, attempt.model).power
    try:
        version = attempt.parent_version
        loaded = model_files.load_enrolled(services, enrollment, version, is_parent=True)
        obstacle = "" if enrollment.recipe else retrain_obstacle(loaded.module)
    except ModelError as error:
        obstacle = str(error)
    return PlannedModel(
        preflight=found,
        reason=attempt.reason,
        prospect=prospect(
            attempt.forget_count,
            found.power,
            method=attempt.method,
            policy=enrollment.policy,
            obstacle=obstacle,
            auc=None if power is None else power.auc,
        ),
    )


def _due_on(services: Services, batch: str) -> str:
    try:
        wanted = batches.accepted(services, batch)
    except MissingObjectError:  # it could not be validated
        return ""
    return min((due_on(d.received_at).isoformat() for d in wanted), default="")


def _rows(services: Services, batch: str) -> dict[str, int]:
    try:
        found = matches(services, batch)
    except MissingObjectError:  # nothing was searched
        return {}
    return {one.uri: one.matched_count for one in found if one.matched_count}
