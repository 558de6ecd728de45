"""Children that need not import: this process has imported everything and only ever forks.

It must stay free of threads and of settings, so everything that works, works in a child.
"""

import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
}

_HEAVY = (
    "boto3",
    "deltalake",
    "great_expectations",
    "matplotlib.pyplot",
    "mlflow.pytorch",
    "scipy.stats",
    "sklearn.metrics",
    "torch",
    "flows.commands.run",
    "flows.process_deletions",
    "flows.refresh_ledgers",
    "flows.train_model",
)


def import_everything() -> None:
    """Whatever a run imports, so that no child has to."""
    for name in _HEAVY:
        importlib.import_module(name)
    from prefect.flow_engine import BaseFlowRunEngine

    # Ending the thread of every flow run's heartbeat takes longer than the flow run.
    engine: Any = BaseFlowRunEngine
    engine.heartbeat_seconds = property(lambda _: None)


def child(work: Callable[[], Any], log: Path) -> tuple[int, Any]:
    """Exit status (negative: the signal) and JSON result of `work` in a process of its own."""
    pid, result = start(work, log)
    return finish(pid, result)


def start(work: Callable[[], Any], log: Path) -> tuple[int, int]:
    """Start `work`; gives the process and where its result can be read."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    os.close(read)
    _as_child(work, log, write)
    raise AssertionError  # never reached


def finish(pid: int, result: int) -> tuple[int, Any]:
    """Wait for a process that `start` started."""
    with os.fdopen(result) as pipe:
        text = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, json.loads(text) if text else None


def _as_child(work: Callable[[], Any], log: Path, write: int) -> None:
    status = 0
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        found = work()
        with os.fdopen(write, "w") as pipe:
            json.dump(found, pipe, default=str)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 3
    except BaseException:  # noqa: BLE001 - reported to the parent by status and log
        traceback.print_exc()
        status = 3
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def import_all(names: list[str]) -> None:
    """Modules that an earlier child imported on its way, so that later ones find them."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    from mlflow.utils import requirements_utils

    requirements_utils._init_modules_to_packages_map()  # noqa: SLF001 - slow, and in private only
