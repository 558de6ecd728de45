"""When a request is due: calendar arithmetic of Art. 12(3) GDPR."""

from calendar import monthrange
from datetime import date


def due_date(received: date) -> date:
    """One month after receipt: the same day of the next month, else that month's last day.

    The day of receipt does not count (EDPB Guidelines 01/2022). Moving a due date from a weekend
    or holiday to the next working day only ever gives more time and is left out.
    """
    year, month = received.year + received.month // 12, received.month % 12 + 1
    return date(year, month, min(received.day, monthrange(year, month)[1]))
