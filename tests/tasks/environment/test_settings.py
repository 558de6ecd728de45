import os
import stat

import pytest

from tasks.environment.settings import harmless_environment, load_settings, prepare_prefect
from unlearning.errors import SettingsError


@pytest.fixture
def settings(tmp_path, monkeypatch):
    def load(**variables):
        for name, value in ({"EXPUNGE_HOME": str(tmp_path / "home")} | variables).items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_everything_embedded_lies_under_home(settings, tmp_path):
    found = settings()
    home = str(tmp_path / "home")
    assert found.store_uri == f"file://{home}/store"
    assert found.tracking_uri == f"sqlite:///{home}/mlflow.db"
    assert found.artifact_location == f"file://{home}/artifacts"


@pytest.mark.parametrize("server", [None, "http://prefect/api"])
def test_prefect_finds_a_place_for_its_own_server(settings, tmp_path, monkeypatch, server):
    for name in ("PREFECT_HOME", "PREFECT_API_URL", "PREFECT_LOGGING_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_LOGGING_ROOT_LEVEL", "INFO")
    settings(**({"PREFECT_API_URL": server} if server else {}))
    prepare_prefect()
    assert (tmp_path / "home/prefect").is_dir() is (server is None)
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "CRITICAL"
    assert os.environ["PREFECT_LOGGING_ROOT_LEVEL"] == "INFO"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "127.0.0.1,localhost"),
        ("intra.example, localhost", "intra.example,localhost,127.0.0.1"),
        ("*", "*"),
    ],
)
def test_no_proxy_stands_between_us_and_our_own_server(settings, monkeypatch, before, after):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before)
    settings()
    prepare_prefect()
    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (after, after)


def test_the_way_to_a_server_of_others_is_left_alone(settings, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intra.example")
    settings(PREFECT_API_URL="http://prefect/api")
    prepare_prefect()
    assert os.environ["NO_PROXY"] == "intra.example"


def test_a_tracking_server_keeps_its_own_artifacts(settings):
    assert settings(EXPUNGE_MLFLOW_TRACKING_URI="http://mlflow").artifact_location is None


def test_telemetry_is_off_unless_asked_for(settings, monkeypatch):
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "PREFECT_SERVER_ANALYTICS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    settings()
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_mlflow_prints_no_addresses_of_runs_among_our_results(settings, monkeypatch):
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    settings()
    assert os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"


def test_a_misspelt_variable_is_refused(settings):
    with pytest.raises(SettingsError, match="EXPUNGE_STROE"):
        settings(EXPUNGE_STROE="x")


def test_a_wait_for_approval_is_a_number_of_seconds(settings):
    assert settings().approval_wait_seconds == 0
    assert settings(EXPUNGE_APPROVAL_WAIT_SECONDS="90").approval_wait_seconds == 90
    with pytest.raises(SettingsError, match="EXPUNGE_APPROVAL_WAIT_SECONDS"):
        settings(EXPUNGE_APPROVAL_WAIT_SECONDS="-1")


def test_a_device_is_one_of_those_that_there_are_and_the_rule_is_told(settings):
    for device in ("auto", "cpu", "cuda", "cuda:1"):
        assert settings(EXPUNGE_DEVICE=device).device == device
    for device in ("gpu", "cuda:", "xcpu"):
        with pytest.raises(SettingsError, match=r"EXPUNGE_DEVICE: .*auto\|cpu\|cuda"):
            settings(EXPUNGE_DEVICE=device)


def test_the_embedded_key_is_made_once_and_for_its_owner_only(settings):
    found = settings()
    assert found.pseudonym_secret() == found.pseudonym_secret()
    path = found.home / "pseudonym.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("key", ["zz", "ab" * 31, "ab" * 33])
def test_an_unusable_key_is_refused(settings, key):
    with pytest.raises(SettingsError, match="64 hexadecimal"):
        settings(EXPUNGE_PSEUDONYM_KEY=key).pseudonym_secret()


def test_a_key_is_never_shown(settings):
    assert "ab" * 32 not in repr(settings(EXPUNGE_PSEUDONYM_KEY="ab" * 32))


def test_an_owners_code_sees_no_secret_and_the_same_gpu(monkeypatch):
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert harmless_environment("cpu") == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": ""}
    assert harmless_environment("cuda") == {"PATH": "/bin"}
    assert harmless_environment("cuda:1")["CUDA_VISIBLE_DEVICES"] == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert harmless_environment("cuda:1")["CUDA_VISIBLE_DEVICES"] == "6"
