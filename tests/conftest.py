"""Fixtures that every tier shares: a home of its own for each test, and small real tables."""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from counts import pytest_runtest_makereport, pytest_terminal_summary  # noqa: F401 - hooks
from hypothesis import HealthCheck, settings

from tasks.environment.settings import load_settings
from tasks.registry.services import Services

# How long an example takes says nothing about ours: torch starts slowly, machines are busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# Senders in tests write whole files, and nobody waits to see that they do not grow.
os.environ["EXPUNGE_SETTLE_SECONDS"] = "0"
os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = str(servers.PATIENCE_S)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No setting of the person who runs the tests leaks into them, and none leaks out."""
    for name in list(os.environ):
        if name.startswith(("EXPUNGE_", "MLFLOW_")) and name != "EXPUNGE_SETTLE_SECONDS":
            monkeypatch.delenv(name)
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)  # MLflow keeps what a test chose for ever


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory) -> Path:
    """An MLflow database with its tables made, to be copied: making them takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def template(tmp_path_factory, mlflow_template):
    """The world of `erased_world`, made once: its fixture `world` puts it back for each test."""
    import erased_world

    return erased_world.make_template(tmp_path_factory.mktemp("world"), mlflow_template)


@pytest.fixture
def home(tmp_path, monkeypatch, mlflow_template) -> Path:
    """A fresh EXPUNGE_HOME with an empty MLflow database."""
    path = tmp_path / "home"
    path.mkdir()
    shutil.copy(mlflow_template, path / "mlflow.db")
    monkeypatch.setenv("EXPUNGE_HOME", str(path))
    return path


@pytest.fixture
def services(home) -> Services:
    """Everything that a part of a run is handed, over the fresh home."""
    found = Services.open(load_settings())
    found.store.check()
    return found


@pytest.fixture
def store(services):
    """The object store of the fresh home."""
    return services.store


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory) -> Iterator[str]:
    """A real S3 server for the whole session."""
    with servers.s3_server(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_endpoint, monkeypatch) -> str:
    """A fresh versioned bucket, with the settings to reach it."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET_KEY)
    monkeypatch.setenv("EXPUNGE_S3_ENDPOINT_URL", s3_endpoint)
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(params=["file", "s3"])
def any_services(request, home) -> Services:
    """The same contract on a directory and on a real S3 server with a versioned bucket."""
    is_file = request.param == "file"
    uri = "" if is_file else f"s3://{request.getfixturevalue('s3_bucket')}/some/prefix"
    found = Services.open(load_settings(), uri)
    found.store.check()
    return found


@pytest.fixture
def any_store(any_services):
    """The store alone."""
    return any_services.store


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory) -> Iterator[str]:
    """A real Prefect server for the whole session."""
    with servers.prefect_server(tmp_path_factory.mktemp("prefect")) as api:
        yield api
