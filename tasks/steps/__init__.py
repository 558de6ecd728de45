"""The steps of the flows as Prefect tasks, all with one retry policy.

Those of an erasure are `tasks.pipeline.Steps`, a line each. Arguments and results are references
and counts: the orchestrator stores them.
"""

import sys
from typing import cast

from tasks.pipeline import Steps
from tasks.steps.batch import (
    describe_question,
    note_progress,
    note_standstill,
    plan_unlearning,
    record_answer,
    resolve_rows,
    seek_approval,
    validate_batch,
)
from tasks.steps.enrolling import enroll_version, pin_source, train_version
from tasks.steps.erasure import (
    advance_models,
    certify_requests,
    close_batch,
    drop_ledgers,
    drop_references,
    erase_objects,
    erase_rows,
    mirror_audit,
    purge_files,
    suppress_subjects,
    tables_to_erase,
)
from tasks.steps.model import (
    block_batch,
    choose_rung,
    climb,
    evaluate_candidate,
    judge_candidate,
    make_candidate,
    promote_version,
    register_version,
    retire_versions,
    withdraw_model,
)
from tasks.steps.run import (
    check_settings,
    enforce_alias_floors,
    give_back_lease,
    has_lease,
    open_batches,
    outdated_batches,
    reduce_requests,
    sent_ahead,
    served_models,
    take_lease,
    waiting_batches,
)
from tasks.steps.upkeep import (
    drop_leftovers,
    due_versions,
    enrolled_names,
    ledger_models,
    purge_version,
    refresh_ledger,
    refresh_references,
    request_replays,
    restore_snapshots,
)

TASKS = cast("Steps", sys.modules[__name__])
"""The steps of `tasks.pipeline` as Prefect runs them."""

__all__ = [
    "TASKS",
    "advance_models",
    "block_batch",
    "certify_requests",
    "check_settings",
    "choose_rung",
    "climb",
    "close_batch",
    "describe_question",
    "drop_ledgers",
    "drop_leftovers",
    "drop_references",
    "due_versions",
    "enforce_alias_floors",
    "enroll_version",
    "enrolled_names",
    "erase_objects",
    "erase_rows",
    "evaluate_candidate",
    "give_back_lease",
    "has_lease",
    "judge_candidate",
    "ledger_models",
    "make_candidate",
    "mirror_audit",
    "note_progress",
    "note_standstill",
    "open_batches",
    "outdated_batches",
    "pin_source",
    "plan_unlearning",
    "promote_version",
    "purge_files",
    "purge_version",
    "record_answer",
    "reduce_requests",
    "refresh_ledger",
    "refresh_references",
    "register_version",
    "request_replays",
    "resolve_rows",
    "restore_snapshots",
    "retire_versions",
    "seek_approval",
    "sent_ahead",
    "served_models",
    "suppress_subjects",
    "tables_to_erase",
    "take_lease",
    "train_version",
    "validate_batch",
    "waiting_batches",
    "withdraw_model",
]
