"""The terminal that flow tests work at."""

import os
from collections.abc import Iterator

import pytest
import small_tables
from erased_world import world
from terminal import Terminal

__all__ = ["world"]
from typist import Typist, typist


@pytest.fixture(scope="session")
def hands(tmp_path_factory) -> Iterator[Typist]:
    """Who types the commands of the whole session."""
    with typist(tmp_path_factory.mktemp("typist")) as somebody:
        yield somebody


@pytest.fixture
def plain_terminal(tmp_path, home, prefect_api, hands) -> Terminal:
    """A terminal on a local directory, with small tables."""
    environment = dict(os.environ) | {"EXPUNGE_HOME": str(home), "PREFECT_API_URL": prefect_api}
    train, holdout = small_tables.write_tables(tmp_path / "tables", train=50, holdout=50)
    return Terminal(home, train, holdout, environment, hands)


@pytest.fixture(params=["file"])
def terminal(request, tmp_path, home, prefect_api, hands) -> Terminal:
    """A terminal on a local directory, or on a versioned bucket of a real S3 server."""
    environment = dict(os.environ) | {"EXPUNGE_HOME": str(home), "PREFECT_API_URL": prefect_api}
    places = tmp_path / "tables"
    options: dict = {}
    if request.param == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        environment |= {n: os.environ[n] for n in os.environ if n.startswith(("AWS_", "EXPUNGE_"))}
        environment["EXPUNGE_STORE"] = f"s3://{bucket}/store"
        places = f"s3://{bucket}/tables"
        options = {
            "AWS_ENDPOINT_URL": environment["EXPUNGE_S3_ENDPOINT_URL"],
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
    train, holdout = small_tables.write_tables(places, train=1500, holdout=3000, storage=options)
    return Terminal(home, train, holdout, environment, hands)
