"""What will become of a file's rows, told to whoever submits it."""

from dataclasses import dataclass
from pathlib import Path

from tasks.intake.columns import IdRules
from tasks.intake.request_files import parse
from tasks.intake.submission import printable, read_local
from tasks.intake.validation import foretell
from tasks.registry.services import Services
from unlearning.errors import RequestError
from unlearning.policy.counted import counted

_SHOWN = 5
"""Most rows that are told by their numbers."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the run will do with a file, as far as its own rows tell."""

    usable: int
    """Rows that it will not quarantine."""
    sentence: str
    """How many it will, which and why; empty if none, or if the file cannot be read."""


def foretold(services: Services, path: Path, ids: IdRules | None = None) -> Foretold:
    """What will become of a file; it is stored all the same: the sender is answered by the run.

    `ids` says what can be an id in the tables; without it, any text can.
    """
    try:
        rows = parse(path.name, read_local(path))
    except RequestError:
        return Foretold(0, "")  # said when it was stored
    reasons = foretell(services, rows, ids)
    count = sum(map(len, reasons.values()))
    if not count:
        return Foretold(len(rows), "")
    why = "; ".join(f"{_listed(numbers)}: {reason}" for reason, numbers in reasons.items())
    told = f"{count:,} of {counted(len(rows), 'row')} of {printable(path.name)} ({why})"
    return Foretold(len(rows) - count, f"To be quarantined: {told}")


def _listed(numbers: list[int]) -> str:
    """Which rows: row 3, or rows 3, 4 and 12 more."""
    shown = [f"{number:,}" for number in numbers[:_SHOWN]]
    if more := len(numbers) - len(shown):
        shown.append(f"{more:,} more")
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
    return f"row{'' if len(numbers) == 1 else 's'} {listed}"
