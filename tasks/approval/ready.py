"""Who need not wait for a person with the others of their batch."""

from collections.abc import Sequence

from tasks.approval.preflights import why_ask
from tasks.attempts import planning
from tasks.attempts.served import concerned
from tasks.attempts.unhindered import counting
from tasks.intake import batches
from tasks.intake.inbox import read_manifest
from tasks.intake.kept_rows import file_of
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import request_stream
from tasks.journal.reading import read_batch, read_enrollment
from tasks.registry.services import Services
from tasks.subjects.matches import matches
from tasks.subjects.sent_ahead import send
from unlearning.policy.approval import why_approval
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition


def send_ready(services: Services, batch: str, plans: Sequence[Attempt]) -> list[Attempt]:
    """Let requests go ahead that need nobody's word; returns the plans for the others.

    Those that concern no model which needs it, and whole files, the earliest due first, as long as
    their rows together stay below the limits and the others still need a word: no run erases more
    without one than one batch may. A file that is too large for itself stays whole. Whoever was
    blocked before stays, too: a batch of more rows may decide what few could not. Once people were
    asked, nobody goes.
    """
    asking = [plan for plan in plans if why_ask(services, plan)]
    if not asking or read_batch(services.journal, batch).asked is not None:
        return list(plans)
    wanted = {d.record_id: d for d in batches.accepted(services, batch)}
    concerning = {plan.model: concerned(services, batch, plan.model) for plan in asking}
    waiting = set(wanted) & set().union(*concerning.values())
    going = set(wanted) - waiting | _below_limits(services, batch, asking, waiting, wanted)
    if not send(services, batch, going, counting(services, batch, going)):
        return list(plans)
    return [again for one in plans if (again := planning.plan(services, batch, one.model))]


def _below_limits(
    services: Services,
    batch: str,
    asking: Sequence[Attempt],
    waiting: set[str],
    wanted: dict[str, Disposition],
) -> set[str]:
    """Records of whole files that together need nobody's word for any of these models."""
    files: dict[str, set[str]] = {}
    for record in waiting:
        files.setdefault(file_of(record), set()).add(record)
    blocked = _blocked_before(services, batch)
    going: set[str] = set()
    for mine in sorted(files.values(), key=lambda f: (_due(f, wanted), len(f), min(f))):
        if not mine & blocked and _needs_nobody(services, batch, asking, going | mine):
            going |= mine
    # Else many small files would erase together what needs a person's word.
    rest = waiting - going
    still_asking = all(not _needs_nobody(services, batch, [plan], rest) for plan in asking)
    return going if still_asking else set()


def _needs_nobody(
    services: Services, batch: str, asking: Sequence[Attempt], records: set[str]
) -> bool:
    for plan in asking:
        rows = [m.rows for m in matches(services, batch) if m.uri == plan.dataset]
        count = sum(found.get(record, 0) for found in rows for record in records)
        policy = read_enrollment(services.journal, plan.model).approval
        if why_approval(policy, plan.model, count, plan.row_count):
            return False
    return True


def _due(records: set[str], wanted: dict[str, Disposition]) -> str:
    return min(due_on(wanted[record].received_at).isoformat() for record in records)


def _blocked_before(services: Services, batch: str) -> set[str]:
    """Records that a model blocked, or a person rejected, before this batch took them over."""
    return {
        record
        for record in read_manifest(services, batch).released
        if any(event.status == "blocked" for event in services.journal.read(request_stream(record)))
    }
