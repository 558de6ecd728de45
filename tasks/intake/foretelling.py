"""What will become of a file's rows, told to whoever submits it."""

from pathlib import Path

from tasks.intake.request_files import parse
from tasks.intake.submission import printable, read_local
from tasks.intake.validation import foretell
from tasks.registry.services import Services
from unlearning.errors import RequestError
from unlearning.policy.counted import counted


def foretold(services: Services, path: Path) -> str:
    """How many rows of a file the run will quarantine and why; empty if none.

    It is stored all the same: the sender is answered by the run.
    """
    try:
        rows = parse(path.name, read_local(path))
    except RequestError:
        return ""  # said when it was stored
    reasons = foretell(services, rows)
    if not reasons:
        return ""
    why = "; ".join(f"{counted(count, 'row')}: {reason}" for reason, count in reasons.items())
    total = counted(len(rows), "row")
    return f"To be quarantined: {reasons.total():,} of {total} of {printable(path.name)} ({why})"
