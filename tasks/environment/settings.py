"""The only reader of the environment: where the store, MLflow and the keys are."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveFloat, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.environment import key_files
from unlearning.errors import SettingsError

PREFIX = "EXPUNGE_"
_MLFLOW_S3 = "MLFLOW_S3_ENDPOINT_URL"
_KEY_FILE, _NEXT_KEY_FILE = "pseudonym.key", "pseudonym.key.next"

# Set unless the environment says otherwise: nothing phones home, nothing is pickled by default,
# and everything embedded lives under one directory.
_DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "expunge",
}


_GPUS = "CUDA_VISIBLE_DEVICES"
_HARMLESS = (
    *("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_HOME", _GPUS),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
)
"""Variables that an owner's code may see."""

_LOOPBACK = ("127.0.0.1", "localhost")


class Settings(BaseSettings):
    """Every place and key expunge needs; each field is the variable EXPUNGE_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    home: Path = Path(".expunge")
    """Directory of the embedded default: store, MLflow database and artifacts, Prefect home."""
    store: str = ""
    """Object store: file:///directory or s3://bucket/prefix; default: <home>/store."""
    mlflow_tracking_uri: str = ""
    """MLflow tracking and registry URI; default: SQLite under <home>."""
    alias: str = "champion"
    """The registry alias that serving follows."""
    s3_endpoint_url: str | None = None
    """Endpoint of an S3-compatible server; unset means the cloud provider's own."""
    s3_region: str = "us-east-1"
    """Region of the S3 buckets."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """auto, cpu, cuda, or one GPU of several, as in cuda:1."""
    approval_wait_seconds: NonNegativeInt = 0
    """How long a flow run pauses for an answer to a batch that waits for approval; 0: not at all.
    The batch waits in either case, until somebody answers."""
    retirement_days: NonNegativeInt = 30
    """Days from the retirement of an old model version to its purge: time to go back, for which
    weights that remember erased people stay on disk. It ends the day before the requests are due
    at the latest. Each version keeps the day it was given."""
    settle_seconds: NonNegativeInt = 60
    """How long a file copied into requests/incoming/ of a directory must lie unchanged before it is
    read, for whoever copies it may still be at it; what `expunge submit` or S3 stores is whole."""
    uncommitted_hours: NonNegativeInt = 24
    """For how long a data file that no log entry of its table names is left to the writer that may
    be about to commit it: a long job uploads hours before. It is searched like any other."""
    quarantine_days: NonNegativeInt = 30
    """Days for which unusable rows and files of requests are kept so that their sender can be
    helped, from when they were taken up; 0: until their batch is closed."""
    recipe_hours: PositiveFloat = 24.0
    """How long a training by an owner's recipe may take before it is ended."""
    pseudonym_key: SecretStr | None = None
    """Hex key of the subject pseudonyms, 32 bytes; default: a file made once under <home>. After a
    rotation: all keys there were, oldest first, with commas between them."""
    next_pseudonym_key: SecretStr | None = None
    """Hex key that `expunge rotate-key` goes on with; default: a new one in a file under <home>,
    if the keys are kept there."""

    def __hash__(self) -> int:
        """By value, so that what was built from settings is found by them."""
        return hash(tuple(self.__dict__.items()))

    @property
    def store_uri(self) -> str:
        """The object store's URI with the default filled in."""
        return self.store or (self.home.resolve() / "store").as_uri()

    @property
    def tracking_uri(self) -> str:
        """MLflow's URI with the default filled in."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def artifact_location(self) -> str | None:
        """Where embedded MLflow keeps artifacts; None leaves it to a tracking server."""
        if self.mlflow_tracking_uri:
            return None
        return (self.home.resolve() / "artifacts").as_uri()

    def pseudonym_secret(self) -> bytes:
        """The key of the subject pseudonyms; the embedded one is made on first use, mode 0600.

        After a rotation it is all keys in a row, oldest first.
        """
        if self.pseudonym_key is not None:
            return key_files.keys_from_hex(self.pseudonym_key.get_secret_value())
        return key_files.read_or_make(self.home / _KEY_FILE)

    def with_key_at_hand(self) -> "Settings":
        """The same settings, with a passing key where none was made yet: no file is written."""
        if self.pseudonym_key is not None or (self.home / _KEY_FILE).exists():
            return self
        return self.model_copy(update={"pseudonym_key": SecretStr(key_files.passing())})

    def next_pseudonym_secret(self) -> bytes:
        """The key that a rotation goes on with; where keys are kept in a file, made on first use.

        Raises:
            SettingsError: keys are set as a variable, and the next one is not.
        """
        if self.next_pseudonym_key is not None:
            return key_files.keys_from_hex(self.next_pseudonym_key.get_secret_value())
        if self.pseudonym_key is not None:
            raise SettingsError(
                "EXPUNGE_PSEUDONYM_KEY is set, and the key to go on with is not; store a new one "
                "where that comes from, set it as EXPUNGE_NEXT_PSEUDONYM_KEY, then run again."
            )
        return key_files.read_or_make(self.home / _NEXT_KEY_FILE)

    def keep_pseudonym_secret(self, secret: bytes) -> bool:
        """Go on with this secret from now on; False if whoever sets the variable has to do so."""
        if self.pseudonym_key is not None:
            return False
        key_files.write(self.home / _KEY_FILE, secret)
        (self.home / _NEXT_KEY_FILE).unlink(missing_ok=True)
        return True


@dataclass(frozen=True, slots=True)
class Rank:
    """This process among those that torchrun started together; alone it is the first of one."""

    number: int
    world: int
    local: int
    """Its number among those on this machine."""


def load_rank() -> Rank:
    """What torchrun's variables say about this process; others of the same names say nothing."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Rank(number=0, world=1, local=0)
    number, world, local = (int(os.environ[n]) for n in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return Rank(number, world, local)


def load_settings() -> Settings:
    """The settings as the environment has them now; a misspelt variable is refused.

    The environment is prepared for the libraries by them.

    Raises:
        SettingsError: a variable is unknown or its value does not fit.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(k for k in os.environ if k.startswith(PREFIX) and k not in known)
    if unknown:
        raise SettingsError(f"Unknown setting {unknown[0]}; known are {', '.join(sorted(known))}.")
    try:
        settings = Settings()
    except ValidationError as error:
        # The rule alone: pydantic's own text quotes the value, which may be a key.
        rules = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"These settings have unusable values: {rules}.") from None
    _prepare_environment(settings)
    return settings


def artifact_settings(settings: Settings) -> Settings:
    """The settings as MLflow's artifacts are reached with: their S3 server may be another one."""
    endpoint = os.environ.get(_MLFLOW_S3) or settings.s3_endpoint_url
    return settings.model_copy(update={"s3_endpoint_url": endpoint})


def _prepare_environment(settings: Settings) -> None:
    if settings.s3_endpoint_url:
        os.environ.setdefault(_MLFLOW_S3, settings.s3_endpoint_url)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(settings.home.resolve() / "prefect"))
    os.environ["MLFLOW_TRACKING_URI"] = settings.tracking_uri


def harmless_environment(device: str) -> dict[str, str]:
    """What an owner's code may know of the environment: where programs are, and how to compute.

    Args:
        device: Where expunge computes; the code sees that GPU alone, or none.
    """
    known = {name: os.environ[name] for name in _HARMLESS if name in os.environ}
    _, _, number = device.partition(":")
    seen = known.get(_GPUS, "")
    if device == "cpu":
        return known | {_GPUS: ""}
    if not number:
        return known
    return known | {_GPUS: seen.split(",")[int(number)] if seen else number}


def prepare_prefect() -> None:
    """Make a place for Prefect's records, and keep its own lines off the console.

    It still records them. Call before importing it.
    """
    if "PREFECT_API_URL" not in os.environ:
        # Prefect's own server starts here, and makes the last folder of the path only.
        Path(os.environ["PREFECT_HOME"]).expanduser().mkdir(parents=True, exist_ok=True)
        _reach_ourselves()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_ROOT_LEVEL", "CRITICAL")


def _reach_ourselves() -> None:
    """Let no proxy come between us and the server that is started here; the rest stays as it is."""
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name, "")
        hosts = [host.strip() for host in known.split(",") if host.strip()]
        if "*" not in hosts:
            missing = [host for host in _LOOPBACK if host not in hosts]
            os.environ[name] = ",".join([*hosts, *missing])
