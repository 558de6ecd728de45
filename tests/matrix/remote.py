"""Real servers behind a proxy that fails when it is told to: S3 for store and tables, or MLflow."""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import servers
from matrix import zygote
from matrix.world import BUCKET, Place

WRITES = ["PUT", "POST", "DELETE", "PATCH"]
_EXHAUSTING = 12
"""More failures in a row than any client's own tries."""


@dataclass(frozen=True)
class Fault:
    """What the proxy does, from a certain request on."""

    name: str
    orders: dict[str, Any]


S3_FAULTS = (
    Fault("500 once", {"fault": "500", "count": 1}),
    Fault("503 until tries are used up", {"fault": "503", "count": _EXHAUSTING}),
    Fault("lost reply", {"fault": "lost", "count": 1, "verbs": WRITES}),
    Fault("lost replies", {"fault": "lost", "count": _EXHAUSTING, "verbs": WRITES}),
    Fault("timeout", {"fault": "hang", "count": 1}),
    Fault("down until the end", {"fault": "503", "count": 1_000_000}),
)
MLFLOW_FAULTS = (
    Fault("500 after doing the work", {"fault": "late-500", "count": 1, "verbs": WRITES}),
    Fault("500 after it, many times", {"fault": "late-500", "count": 8, "verbs": WRITES}),
    Fault("lost reply", {"fault": "lost", "count": 1, "verbs": WRITES}),
    Fault("503 until tries are used up", {"fault": "503", "count": _EXHAUSTING}),
    Fault("down until the end", {"fault": "503", "count": 1_000_000}),
)


@dataclass
class Remote(Place):
    """A place whose store or MLflow is a real server behind the proxy."""

    orders: Path = Path()

    def order(self, orders: dict[str, Any]) -> None:
        """What the proxy does from now on."""
        # By a rename: the proxy must never read half of it.
        fresh = self.orders.with_suffix(".new")
        fresh.write_text(json.dumps(orders))
        fresh.replace(self.orders)

    def count(self) -> int:
        """Requests that came since the last order."""
        return int(self.orders.with_suffix(".count").read_text())


@contextlib.contextmanager
def proxied(upstream: int, orders: Path) -> Iterator[str]:
    """The proxy as a process; gives its address."""
    orders.write_text("{}")
    port = servers.free_port()
    command = [sys.executable, "-m", "matrix.proxy", str(port), str(upstream), str(orders)]
    with servers.running(command, orders.with_suffix(".log"), env=os.environ | _path()):
        servers.wait_for(
            lambda: socket.create_connection(("127.0.0.1", port), 1), orders.with_suffix(".log")
        ).close()
        yield f"http://127.0.0.1:{port}"


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path)}


@dataclass
class S3Place(Remote):
    """Its objects are kept in a folder and put back past the proxy, so that no fault hits them."""

    direct: str = ""

    def keep(self) -> None:
        super().keep()
        self._do(_save)

    def restore(self) -> None:
        super().restore()
        self._do(_load)

    def _do(self, work: Callable[[str, Path], None]) -> None:
        log = self.base / "objects.log"
        status, _ = zygote.child(lambda: work(self.direct, self.base / "objects"), log)
        if status:
            raise RuntimeError(log.read_text()[-2000:])


@contextlib.contextmanager
def s3_place(base: Path) -> Iterator[Remote]:
    """Store and tables on a real S3 server with a versioned bucket."""
    folder, orders = base / "weed", base / "s3-orders.json"
    folder.mkdir(parents=True)
    os.environ["AWS_ACCESS_KEY_ID"] = servers.ACCESS_KEY
    os.environ["AWS_SECRET_ACCESS_KEY"] = servers.SECRET_KEY
    with (
        servers.s3_server(folder) as direct,
        proxied(int(direct.rpartition(":")[2]), orders) as address,
    ):
        zygote.child(lambda: _make_bucket(direct), base / "objects.log")
        yield S3Place(base, s3=address, orders=orders, direct=direct)


@dataclass
class MlflowPlace(Remote):
    """Its MLflow server is ended while the files under it are put back."""

    port: int = 0
    server: contextlib.ExitStack | None = None

    def keep(self) -> None:
        with self._away():
            super().keep()

    def restore(self) -> None:
        with self._away():
            super().restore()

    @contextlib.contextmanager
    def _away(self) -> Iterator[None]:
        self.stop()
        yield
        self.start()

    def start(self) -> None:
        self.server = contextlib.ExitStack()
        self.server.enter_context(servers.mlflow_server(self.live, self.port))

    def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


@contextlib.contextmanager
def mlflow_place(base: Path) -> Iterator[Remote]:
    """MLflow as a server with a registry, a tracking store and artifacts of its own."""
    port, orders = servers.free_port(), base / "mlflow-orders.json"
    (base / "live").mkdir(parents=True)
    with proxied(port, orders) as address:
        place = MlflowPlace(base, mlflow=address, orders=orders, port=port)
        place.start()
        try:
            yield place
        finally:
            place.stop()


def _client(endpoint: str) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")


def _make_bucket(endpoint: str) -> None:
    client = _client(endpoint)
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def _save(endpoint: str, folder: Path) -> None:
    client = _client(endpoint)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            path = folder / item["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())


def _load(endpoint: str, folder: Path) -> None:
    client = _client(endpoint)
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for item in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            client.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        client.put_object(
            Bucket=BUCKET, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes()
        )
