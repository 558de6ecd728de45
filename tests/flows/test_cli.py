import os
import subprocess
import sys

import pytest
import servers

from flows.cli import COMMANDS, command_line

SCREEN = 50


def help_of(capsys, monkeypatch, *command):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as end:
        command_line(explained=command)([*command, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_on_one_screen_and_is_that_of_its_docstring(
    capsys, monkeypatch, command
):
    said = help_of(capsys, monkeypatch, command)
    assert len(said.splitlines()) <= SCREEN
    app = command_line(explained=[command])[command]
    told = app.default_command.__doc__.replace("`", "")
    assert " ".join(told.split("Parameters\n")[0].split()) in " ".join(said.split())


def test_the_list_of_commands_fits_on_one_screen_and_names_each(capsys, monkeypatch):
    said = help_of(capsys, monkeypatch)
    assert len(said.splitlines()) <= SCREEN
    for command, line in COMMANDS.items():
        assert command in said
        assert line.split()[-1] in said


def test_the_list_of_commands_loads_none_of_them():
    script = (
        "import sys\nfrom flows.cli import command_line\n"
        "try:\n    command_line(())(['--help'])\nexcept SystemExit:\n"
        "    print([m for m in sys.modules if m.startswith('flows.commands.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.integration
def test_a_flow_runs_behind_a_proxy_that_leads_nowhere(home):
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    left_out = ("NO_PROXY", "no_proxy", "PREFECT_API_URL")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "replay"],
        env=environment | proxies | {"PYTHONPATH": ".", "EXPUNGE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=servers.PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Nobody who was erased is back.\n"), done.stderr
