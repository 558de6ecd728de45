"""The last rung: a model out of service, so that nobody serves what still remembers."""

import logging

from tasks.journal.effects import once
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import AliasWithdrawn, WithdrawalIntended
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import read_batch, read_enrollment
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import late_holds
from unlearning.errors import ConflictError

log = logging.getLogger("expunge.withdrawal")


def withdraw(services: Services, attempt: Attempt, reason: str) -> None:
    """Take the serving alias from the parent, once: nobody serves what still remembers."""

    def find(_: WithdrawalIntended) -> AliasWithdrawn | None:
        champion = services.registry.alias_version(attempt.model)
        if champion == attempt.parent_version:
            return None
        if champion is not None:
            raise ConflictError(
                f"The alias of {attempt.model} was moved to version {champion} meanwhile; enrol "
                "that version, then run again."
            )
        return _withdrawn(attempt, reason)

    def make(_: WithdrawalIntended) -> None:
        late_holds.refuse_held(services, attempt.batch)
        services.registry.drop_alias(attempt.model)

    once(
        services.journal,
        batch_stream(attempt.batch),
        key=attempt.ids.withdrawn,
        plan=WithdrawalIntended(model=attempt.model, attempt=attempt.key),
        find=find,
        make=make,
    )
    if services.registry.alias_version(attempt.model) == attempt.parent_version:
        services.registry.drop_alias(attempt.model)  # set again since: these weights still remember
    _tell_model(services, attempt)
    log.error(
        "ALARM: %s version %d no longer holds the serving alias. %s Train it anew without the "
        "erased subjects and enrol that version.",
        attempt.model,
        attempt.parent_version,
        reason,
    )


def finish_withdrawals(services: Services) -> None:
    """Finish withdrawals that were interrupted between the alias and the model's own stream.

    An alias that is missing for another reason is for people to set again: whatever a withdrawal
    intended once, it is about an open batch and the weights that are enrolled.
    """
    for batch, _ in services.journal.open_batches():
        history = read_batch(services.journal, batch)
        for one in history.attempts.values():
            if one.is_withdrawal_intended and _is_unfinished(services, history, one):
                lease.check(services.store)
                # What the interrupted run would have recorded: certificates state it.
                reason = next(r.reason for r in one.chosen if r.rung == "withdraw")
                facts, stream = _withdrawn(one.attempt, reason), batch_stream(batch)
                services.journal.append(stream, one.attempt.ids.withdrawn, facts)
                _tell_model(services, one.attempt)


def _is_unfinished(services: Services, history: BatchHistory, one: AttemptHistory) -> bool:
    """Whether the alias is gone for this attempt, and the model's stream does not say so yet."""
    attempt = one.attempt
    told = services.journal.find(model_stream(attempt.model), attempt.ids.withdrawn)
    return told is None and _is_latest(history, one) and _is_begun(services, attempt)


def _is_latest(history: BatchHistory, one: AttemptHistory) -> bool:
    """Whether no other plan for the model, and no hold, came after the attempt."""
    latest = history.plans[one.attempt.model]
    return latest is one and history.last_left(one.attempt.model) < one.planned_in


def _is_begun(services: Services, attempt: Attempt) -> bool:
    """Whether nobody holds the alias, and the attempt's parent is what was served before."""
    enrolled = read_enrollment(services.journal, attempt.model)
    parent = (attempt.parent_version, attempt.parent_digest)
    is_parent = (enrolled.version, enrolled.digest) == parent
    # A model that MLflow knows nothing of may be served elsewhere.
    is_known = services.registry.is_registered(attempt.model)
    return is_parent and is_known and services.registry.alias_version(attempt.model) is None


def _withdrawn(attempt: Attempt, reason: str) -> AliasWithdrawn:
    return AliasWithdrawn(
        model=attempt.model,
        attempt=attempt.key,
        version=attempt.parent_version,
        reason=reason,
    )


def _tell_model(services: Services, attempt: Attempt) -> None:
    facts = ModelWithdrawn(attempt=attempt.key, batch=attempt.batch)
    services.journal.append(model_stream(attempt.model), attempt.ids.withdrawn, facts)
