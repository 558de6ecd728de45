"""Real servers that tests start on free ports of the loopback address, and stop again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

BIN = Path(sys.executable).parent
PATIENCE_S = 1_200
"""Limits only end what hangs: on a machine that is busy everything takes many times as long."""
_GRACE_S = 5
"""Nobody needs what a server would still put in order in half a minute."""

ACCESS_KEY, SECRET_KEY = "expunge-test", "expunge-test-secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], log: Path, **options) -> Iterator[subprocess.Popen]:
    """A process in a group of its own; the whole group is ended afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell that starts jobs in the background makes them ignore SIGINT, and a Prefect
            # worker that ignores it also ignores the first SIGTERM.
            preexec_fn=lambda: signal.signal(  # noqa: PLW1509
                signal.SIGINT, signal.default_int_handler
            ),
            **options,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(60)


def wait_for(check, log: Path, process: subprocess.Popen | None = None):
    """The first true value that `check` gives; the log if the process ends first, or never does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and (process is None or process.poll() is None):
        with contextlib.suppress(OSError):
            if found := check():
                return found
        time.sleep(0.3)
    raise TimeoutError(log.read_text(errors="replace")[-3000:])


def answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=60) as reply:  # noqa: S310
        return reply.status == 200


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """SeaweedFS's S3 server with one user; gives its endpoint."""
    port, others = free_port(), [free_port() for _ in range(4)]
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, grpc = others
    command = [
        str(BIN / "weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", f"-master.port.grpc={free_port()}",
        f"-volume.port={volume}", f"-volume.port.grpc={free_port()}",
        f"-filer.port={filer}", f"-filer.port.grpc={free_port()}",
        "-s3", f"-s3.port={port}", f"-s3.port.grpc={grpc}", f"-s3.config={config}",
        # At their default ports two servers on one machine would get in each other's way.
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64", "-volume.max=0", "-master.telemetry=false",
    ]  # fmt: skip
    log = folder / "weed.log"
    with running(command, log) as server:
        wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1), log, server).close()
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """A Prefect server on its own SQLite database; gives its API URL."""
    port = free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    }
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "server.log"
    with running(command, log, env=environment) as server:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/health"), log, server)
        yield f"http://127.0.0.1:{port}/api"


@contextlib.contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[str]:
    """An MLflow server that keeps everything in the folder; gives its address."""
    command = [
        str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    log = folder / "server.log"
    with running(command, log, env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}) as server:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), log, server)
        yield f"http://127.0.0.1:{port}"
