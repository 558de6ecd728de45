"""Earlier weights that learned from a table which lost rows, though the model is tied elsewhere."""

from urllib.parse import unquote

from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import FormerRowsErased
from tasks.journal.reading import read_model
from tasks.registry.services import Services
from tasks.subjects.learned_rows import who_learned


def note_former(services: Services, batch: str, uri: str) -> None:
    """Record, for every model, that its earlier weights on this table remember erased rows.

    Of whom is what was written down when they were trained, or what they read if it is there yet.

    The present ones were planned for; the others are retired by it, and serve no more. A model that
    the batch was promoted in, or withdrawn, has left all of them behind.
    """
    for model in map(unquote, services.journal.models()):
        history = read_model(services.journal, model)
        former = history.ties.digests_on(uri) - {history.weights.digest}
        has_left = any(end.batch == batch for end in history.ends)
        is_noted = any(one.batch == batch for one in history.ties.former)
        is_here = any((one.batch, one.table) == (batch, uri) for one in history.ties.former)
        if former and not is_here and (is_noted or not has_left):
            ties = [
                one for d in former for one in history.ties.by_digest[d] if one.dataset.uri == uri
            ]
            records = who_learned(services, batch, model, ties)
            if records == ():
                continue
            facts = FormerRowsErased(batch=batch, table=uri, records=records)
            services.journal.append(model_stream(model), ids.former_rows_erased(batch, uri), facts)
