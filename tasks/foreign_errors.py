"""Foreign exceptions become our own here, and here alone."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unlearning.errors import (
    DataError,
    ExpungeError,
    MissingDataError,
    SettingsError,
    TransientError,
)

_TRANSIENT_CODES = {
    "SlowDown",
    "503",
    "500",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
}
_TOO_MANY = 429
_TRANSIENT_STATUS = 500
_MISSING_CODES = {"NoSuchKey", "404"}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NEVER = {
    errno.EPERM,
    errno.EROFS,
    errno.ENOTSUP,
    errno.ENOSYS,
    errno.EINVAL,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EISDIR,
}
"""What a file system answers in the same way tomorrow."""
_REFUSED = re.compile(
    r"\b(?:400 Bad Request|401 Unauthorized|403 Forbidden|404 Not Found|405 Method Not Allowed"
    r"|501 Not Implemented)"
)
"""What delta-rs quotes of a server that refuses, in an error like that of one that is away."""
_DELTA_S_WORDS = (
    (
        re.compile("[Uu]nsupported|[Ff]eatures must be specified"),
        "demands a feature of Delta that expunge cannot write; write the table anew without it.",
    ),
    (
        re.compile("failed validation check|[Ii]nvariant|[Cc]heck constraint"),
        "has rows that break a constraint or generated column of its own: mend them, or drop it.",
    ),
    (
        re.compile("append.only", re.IGNORECASE),
        "is append-only; set its property delta.appendOnly to false.",
    ),
)
"""What Delta says of a table that cannot be changed, by whatever kind of error it says so."""


@contextmanager
def translated(system: str, place: str = "") -> Iterator[None]:
    """Run a block against `system`; what it raises leaves as one of our errors, cause chained.

    `place` is its address, for the message.

    The outside system's own words are kept out of the message, and Arrow's and Delta's out of the
    chain too: they quote values, and the orchestrator stores tracebacks.

    Raises:
        TransientError: the system is busy, away or timed out.
        SettingsError: it refuses our credentials or address.
        MissingDataError: it answers that what we asked for is not there.
        DataError: it answers that what we asked for is not allowed.
    """
    try:
        yield
    except ExpungeError:
        raise
    except Exception as error:
        raised = _counterpart(error, f"{system} at {place}" if place else system)
        if raised is None:
            raise
        raise raised from (None if system == "table" else error)


def _counterpart(error: Exception, system: str) -> ExpungeError | None:
    for kind in type(error).__mro__:
        maker = COUNTERPARTS.get(f"{kind.__module__}.{kind.__qualname__}")
        if maker is not None:
            return maker(error, system)
    return None


def _transient(error: Exception, system: str) -> ExpungeError:
    return TransientError(
        f"The {system} is busy or away ({type(error).__name__}); try again later."
    )


def _system_call(error: Any, system: str) -> ExpungeError:
    if error.errno in _FULL:
        return TransientError(
            f"The disk of the {system} is full ({error.strerror}); free some space, then run again."
        )
    if error.errno in _NEVER:
        return DataError(
            f"The {system} refused the request ({error.strerror}); check its file system and who "
            "may write there."
        )
    told = _REFUSED.search(str(error)) if error.errno is None else None
    if told:
        return DataError(
            f"The {system} refused the request ({told[0]}); check address, credentials and "
            "permissions."
        )
    return _transient(error, system)


def _delta(error: Exception, system: str) -> ExpungeError:
    return _of_table(error, system) or _data(error, system)


def _commit(error: Exception, system: str) -> ExpungeError:
    """Another writer was quicker, unless Delta says that nobody could write this."""
    return _of_table(error, system) or _transient(error, system)


def _of_table(error: Exception, system: str) -> ExpungeError | None:
    for words, what in _DELTA_S_WORDS:
        if words.search(str(error)):
            return DataError(f"The {system} {what}")
    return None


def _credentials(error: Exception, system: str) -> ExpungeError:
    return SettingsError(
        f"The {system} found no usable credentials ({type(error).__name__}); "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or give the process a role."
    )


def _data(error: Exception, system: str) -> ExpungeError:
    return DataError(
        f"The {system} refused the request ({type(error).__name__}); "
        "check that the table or object exists and has the expected form."
    )


def _no_table(_: Exception, system: str) -> ExpungeError:
    return DataError(
        f"The {system} is no Delta table; check the address, or make a folder of parquet files one "
        "with `expunge convert-table`."
    )


def _missing(error: Exception, system: str) -> ExpungeError:
    return MissingDataError(
        f"The {system} does not have what was asked for ({type(error).__name__}); "
        "check that the table or object exists."
    )


def _client(error: Any, system: str) -> ExpungeError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _TRANSIENT_CODES or status == _TOO_MANY or status >= _TRANSIENT_STATUS:
        return _transient(error, system)
    if code in _MISSING_CODES:
        return _missing(error, system)
    return DataError(f"The {system} refused the request ({code}); check name and permissions.")


def _mlflow(error: Any, system: str) -> ExpungeError:
    code = getattr(error, "error_code", "")
    if code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
        return _transient(error, system)
    kind = MissingDataError if code == "RESOURCE_DOES_NOT_EXIST" else DataError
    return kind(
        f"{system} refused the request ({code}); check the model's name and version, and whether "
        "something was deleted or forbidden there."
    )


# Full names, so that naming an exception does not import its library.
COUNTERPARTS = {
    "botocore.exceptions.ClientError": _client,
    "botocore.exceptions.BotoCoreError": _data,
    "botocore.exceptions.NoCredentialsError": _credentials,
    "botocore.exceptions.PartialCredentialsError": _credentials,
    "botocore.exceptions.HTTPClientError": _transient,
    "botocore.exceptions.ConnectionError": _transient,
    "botocore.exceptions.EndpointConnectionError": _transient,
    "botocore.exceptions.IncompleteReadError": _transient,
    "mlflow.exceptions.MlflowException": _mlflow,
    "requests.exceptions.ConnectionError": _transient,
    "requests.exceptions.Timeout": _transient,
    "urllib3.exceptions.HTTPError": _transient,
    "sqlalchemy.exc.OperationalError": _transient,
    "_internal.TableNotFoundError": _no_table,
    "deltalake.exceptions.TableNotFoundError": _no_table,
    "deltalake.exceptions.CommitFailedError": _commit,
    "_internal.CommitFailedError": _commit,
    "deltalake.exceptions.DeltaError": _delta,
    "_internal.DeltaError": _delta,
    "pyarrow.lib.ArrowException": _data,
    # deltalake and pyarrow raise these for object stores, too.
    "builtins.FileNotFoundError": _missing,
    "builtins.PermissionError": _data,
    "builtins.OSError": _system_call,
}


def is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Prefect's retry predicate: only a TransientError is worth another try."""
    try:
        state.result()
    except TransientError:
        return True
    except Exception:  # noqa: BLE001 - any other failure is final, whatever its kind
        return False
    return False
