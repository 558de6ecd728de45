import subprocess
import sys

import pytest
import servers
from terminal import request


@pytest.fixture
def terminal(plain_terminal):
    return plain_terminal


def one_sentence(printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.strip()]
    text = " ".join(lines)
    assert "Traceback" not in text
    assert "expunge: " in text
    return text


def test_a_misspelt_setting_is_named(terminal):
    printed = terminal.expunge("status", status=2, EXPUNGE_STOER="file:///tmp")
    assert "EXPUNGE_STOER" in one_sentence(printed)


def test_an_unusable_store_is_named(terminal):
    printed = terminal.expunge("run", status=2, EXPUNGE_STORE="ftp://somewhere")
    assert "EXPUNGE_STORE" in one_sentence(printed)


def test_a_bucket_out_of_reach_is_named(terminal):
    port = servers.free_port()
    printed = terminal.expunge(
        "run",
        status=2,
        EXPUNGE_STORE="s3://nowhere",
        EXPUNGE_S3_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="b",  # noqa: S106
    )
    assert "s3://nowhere" in one_sentence(printed)


@pytest.mark.integration
def test_a_run_without_any_model_is_refused(terminal):
    terminal.submit("requests.jsonl", [request(1)])
    assert "expunge enroll" in one_sentence(terminal.expunge("run", status=2))
    assert terminal.status()["batches"] == []


@pytest.mark.slow  # it may be away for a moment, so it is tried again for more than a minute
@pytest.mark.integration
def test_an_mlflow_out_of_reach_is_named_before_any_work(terminal):
    terminal.submit("requests.jsonl", [request(1)])
    port = servers.free_port()
    printed = terminal.expunge(
        "run", status=2, EXPUNGE_MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}"
    )
    assert "EXPUNGE_MLFLOW_TRACKING_URI" in one_sentence(printed)
    assert terminal.status()["batches"] == []


@pytest.mark.integration
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (["--label", "colour"], "no column 'colour'"),
        (["--features", "row", "column"], "no column 'row'"),
        (["--table-version", "7"], "table"),
    ],
)
def test_a_table_that_does_not_fit_is_named(terminal, change, reason):
    printed = terminal.expunge("train", "income", *terminal.source(), *change, status=2)
    assert reason in one_sentence(printed)


@pytest.mark.integration
def test_a_table_that_is_not_there_is_named(terminal):
    places = ["--table", terminal.train_table, "--holdout", "nowhere"]
    assert "table" in one_sentence(terminal.expunge("train", "income", *places, status=2))


@pytest.mark.integration
def test_a_model_that_is_not_registered_is_named(terminal):
    printed = terminal.expunge("enroll", "nobody", *terminal.source(), status=2)
    assert "nobody" in one_sentence(printed) or "MLflow" in printed


def test_a_missing_file_is_named(terminal):
    assert "cannot be read" in terminal.expunge("submit", "/no/such/file.csv", status=2)


def test_help_loads_no_heavy_library():
    code = (
        "import sys; sys.argv = ['expunge', '--help']\n"
        "from flows.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'mlflow', 'prefect', 'great_expectations', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, timeout=servers.PATIENCE_S
    )
