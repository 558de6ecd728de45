"""A model that is known by name and that nobody serves: its tables are erased, no weights read."""

from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.events.versions import AliasLost
from tasks.journal.reading import record_enrollment
from tasks.registry.services import Services
from tasks.tables.delta import count_rows, open_table
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.budget import Deletions

MODEL = "unserved"


def enroll_unserved(services: Services, table: str, holdout: str) -> None:
    """Record it on two tables whose subjects stand in `subject_id`."""
    now = open_table(services.settings, table)
    rows = count_rows(now)
    enrollment = Enrollment(
        model=MODEL,
        version=1,
        digest="0" * 64,
        dataset=DatasetSpec(table, ("features",), "label", "subject_id"),
        dataset_version=now.version(),
        row_count=rows,
        holdout=holdout,
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=rows),
    )
    record_enrollment(services.journal, enrollment)
    change = ids.alias_change(1, 1, None)
    services.journal.append(model_stream(MODEL), change, AliasLost(found=1))
