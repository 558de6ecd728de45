"""Whether a model fits its tables, and whether those can say enough about a candidate."""

from collections.abc import Iterator

from torch import nn

from tasks.datasets.samples import sample_rows
from tasks.enrolling.model_form import check_form
from tasks.enrolling.recognition import FIT_ROWS
from tasks.enrolling.source import ModelSource
from tasks.environment.memory import memory_errors
from tasks.registry.services import Services
from tasks.tables.delta import open_table

_FEW_ROWS = 100


def check_fit(services: Services, module: nn.Module, source: ModelSource) -> None:
    """Refuse a model that does not take the table's rows, or does not score their labels.

    Raises:
        UnsupportedModelError: it does not.
    """
    sample = sample_rows(
        services.settings, source.dataset, source.dataset_version, count=FIT_ROWS, seed=0
    )
    with memory_errors():
        check_form(module, sample, source.model, source.loss)


def few_rows(services: Services, source: ModelSource) -> Iterator[str]:
    """What there is to say of rows that are too few to judge a candidate on, a sentence for each.

    Half of each sample is judged; on fewer than 100 rows chance hides losses of ten in a hundred.
    """
    config = source.unlearning
    for kind, uri, version, sample in (
        ("retain", source.dataset.uri, source.dataset_version, config.retain_sample),
        ("holdout", source.holdout, None, config.holdout_sample),
    ):
        judged = min(open_table(services.settings, uri, version).count() // 2, sample)
        if judged < _FEW_ROWS:
            yield (
                f"{source.model}: about {judged} {kind} rows judge a candidate, too few to tell "
                f"harmless updates from harmful ones; have at least {2 * _FEW_ROWS} in the {kind} "
                f"table, and a sample of at least {_FEW_ROWS}."
            )
