import errno
import inspect

import botocore.exceptions
import deltalake.exceptions
import mlflow.exceptions
import pyarrow as pa
import pyarrow.lib
import pytest
import requests
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from tasks.environment.settings import load_settings
from tasks.foreign_errors import COUNTERPARTS, is_transient, translated
from tasks.tables import deletion, delta
from unlearning.errors import (
    DataError,
    ExpungeError,
    GateRejectedError,
    MissingDataError,
    SettingsError,
    TransientError,
)

FOREIGN = [botocore.exceptions, deltalake.exceptions, mlflow.exceptions, pyarrow.lib]

# Mistakes inside a library, never an outside system's answer.
MISTAKES = {"MissingServiceIdError", "UndefinedModelAttributeError", "Empty"}


def full_names(kind):
    return {f"{k.__module__}.{k.__qualname__}" for k in kind.__mro__}


@pytest.mark.parametrize("module", FOREIGN, ids=lambda m: m.__name__)
def test_every_foreign_exception_has_a_counterpart(module):
    kinds = [k for _, k in inspect.getmembers(module, inspect.isclass) if issubclass(k, Exception)]
    kinds = [k for k in kinds if k.__module__.split(".")[0] not in ("builtins", "json")]
    assert len(kinds) >= 3
    kinds = [k for k in kinds if not issubclass(k, Warning) and k.__name__ not in MISTAKES]
    missing = [k.__name__ for k in kinds if not full_names(k) & set(COUNTERPARTS)]
    assert not missing


def client_error(code, status):
    reply = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(reply, "PutObject")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("SlowDown", 503), TransientError),
        (client_error("Anything", 500), TransientError),
        (client_error("Anything", 429), TransientError),
        (client_error("Throttling", 400), TransientError),
        (client_error("AccessDenied", 403), DataError),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), TransientError),
        (mlflow.exceptions.MlflowException("boom"), TransientError),
        (client_error("NoSuchKey", 404), MissingDataError),
        (
            mlflow.exceptions.MlflowException("no", error_code=RESOURCE_DOES_NOT_EXIST),
            MissingDataError,
        ),
        (pyarrow.lib.ArrowInvalid("quotes a value: zq7subject"), DataError),
        (OSError("disk"), TransientError),
        (OSError("Generic S3 error: status code 403 Forbidden: zq7subject"), DataError),
        (OSError("Generic S3 error: 404 Not Found <Code>NoSuchBucket</Code>"), DataError),
        (OSError("Generic S3 error: 503 Service Unavailable"), TransientError),
        (OSError("tcp connect error: Connection refused"), TransientError),
        (OSError(errno.EROFS, "Read-only file system"), DataError),
        (OSError(errno.EPERM, "Operation not permitted"), DataError),
        (OSError(errno.EISDIR, "Is a directory"), DataError),
        (OSError(errno.EIO, "Input/output error"), TransientError),
        (CommitFailedError("Unsupported table features required: [ColumnMapping]"), DataError),
        (CommitFailedError("a concurrent transaction deleted the same data"), TransientError),
        (DeltaError("Invalid data found: 2 rows failed validation check. zq7subject"), DataError),
        (FileNotFoundError("zq7subject.parquet"), MissingDataError),
    ],
)
def test_a_foreign_error_becomes_ours_without_its_words(error, expected):
    with pytest.raises(expected) as caught, translated("system"):
        raise error
    assert caught.value.__cause__ is error
    assert "zq7subject" not in str(caught.value)


def test_a_table_that_breaks_its_own_constraint_is_told_so_and_never_to_try_again(tmp_path):
    write_deltalake(tmp_path, pa.table({"id": ["a", "b"], "n": [1, 2]}))
    commit = tmp_path / "_delta_log" / f"{0:020d}.json"
    told = commit.read_text().replace(
        '"configuration":{}', '"configuration":{"delta.constraints.large":"n > 100"}'
    )
    commit.write_text(told.replace('"minWriterVersion":2', '"minWriterVersion":3'))
    with pytest.raises(DataError, match="break a constraint"):
        deletion.delete_rows(load_settings(), tmp_path.as_uri(), "id", ["a"])


@pytest.mark.parametrize(("version", "feature"), [(5, "columnMapping"), (6, "identityColumns")])
def test_a_writer_version_that_demands_a_feature_is_refused_for_it(tmp_path, version, feature):
    write_deltalake(tmp_path, pa.table({"id": ["a", "b"]}))
    commit = tmp_path / "_delta_log" / f"{0:020d}.json"
    told = commit.read_text().replace('"minWriterVersion":2', f'"minWriterVersion":{version}')
    commit.write_text(told.replace('"minReaderVersion":1', '"minReaderVersion":2'))
    with pytest.raises(DataError, match=f"{feature}.*cannot be erased"):
        delta.open_table(load_settings(), tmp_path.as_uri())


def test_what_a_table_says_is_not_even_in_the_chain():
    with pytest.raises(DataError) as caught, translated("table"):
        raise pyarrow.lib.ArrowInvalid("quotes a value: zq7subject")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_our_own_and_unknown_errors_pass_through():
    with pytest.raises(GateRejectedError), translated("system"):
        raise GateRejectedError("no")
    with pytest.raises(ZeroDivisionError), translated("system"):
        raise ZeroDivisionError


def test_an_mlflow_that_is_away_at_the_start_is_tried_again_before_its_address_is_blamed(
    services, monkeypatch
):
    def refuse(**_):
        raise requests.exceptions.ConnectionError

    monkeypatch.setattr(services.registry.client, "search_registered_models", refuse)
    with pytest.raises(SettingsError, match="EXPUNGE_MLFLOW_TRACKING_URI") as caught:
        services.registry.check_registry()
    assert is_transient(None, None, State(caught.value))


class State:
    def __init__(self, error):
        self.error = error

    def result(self):
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientError("x"), True),
        (ExpungeError("x"), False),
        (KeyError("x"), False),
        (None, False),
    ],
)
def test_only_transient_errors_are_retried(error, expected):
    assert is_transient(None, None, State(error)) is expected


def test_who_names_a_folder_is_told_how_it_becomes_a_table(tmp_path):
    told = r"table at .* is no Delta table.*expunge convert-table"
    with pytest.raises(DataError, match=told), translated("table", str(tmp_path)):
        deltalake.DeltaTable(tmp_path)
