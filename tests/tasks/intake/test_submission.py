import subprocess
import sys

import pytest
from hostile_names import row

from flows import cli
from flows.commands.hold import hold
from flows.commands.submit import submit
from tasks.environment.settings import load_settings
from tasks.intake import inbox
from tasks.intake.submission import printable, read_local, store_new, submit_file
from tasks.registry.services import Services
from unlearning.errors import SettingsError

HOSTILE_TO_TERMINALS = ["[red]x.jsonl", "[link=x].jsonl", "\x1b[31m\u202ex.jsonl"]


def test_a_name_is_printed_as_it_is_and_steers_no_terminal(home, tmp_path, capsys):
    files = [tmp_path / name for name in HOSTILE_TO_TERMINALS]
    for number, path in enumerate(files):
        path.write_bytes(row(number))
    submit(*files)
    for path in files:
        hold(path, force=True)
        hold(path, release=True)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    for name in ("[red]x.jsonl", "[link=x].jsonl", "\\x1b[31m\\u202ex.jsonl"):
        assert printed.split().count(name) == 3
    services = Services.open(load_settings())
    assert len(inbox.new_files(services)) == len(files)
    assert list(services.store.list_objects("requests/holds/")) == []


def test_an_error_about_a_hostile_name_is_one_sentence(home):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "submit", "./[/]\x1b[31m.jsonl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == cli.EXIT_INPUT
    assert "expunge: [/]\\x1b[31m.jsonl cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_what_is_unprintable_is_spelled_out():
    assert printable("ünï 日本 \\ a.csv") == "ünï 日本 \\ a.csv"
    assert printable("a\n\x9b\udcff.csv") == "a\\n\\x9b\\udcff.csv"


def test_what_was_stored_is_said_also_of_a_file_that_will_be_quarantined(services, tmp_path):
    (good := tmp_path / "a.jsonl").write_bytes(row(1))
    (bad := tmp_path / "a.exe").write_bytes(b"x")
    assert submit_file(services, good, inbox.INCOMING).endswith(
        f"a.jsonl in {services.store.uri}/requests/incoming/ (1 row)"
    )
    assert "will be quarantined: file of an unknown type" in submit_file(
        services, bad, inbox.INCOMING
    )
    assert services.store.get(f"{inbox.INCOMING}a.exe") == b"x"


def test_another_file_of_the_same_name_is_refused_and_the_same_one_is_not(services, tmp_path):
    path = tmp_path / "a.jsonl"
    for _ in range(2):
        store_new(services, inbox.INCOMING, path, row(1))
    with pytest.raises(SettingsError, match=r"named a\.jsonl was submitted before"):
        store_new(services, inbox.INCOMING, path, row(2))
    assert services.store.get(f"{inbox.INCOMING}a.jsonl") == row(1)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.csv cannot be read"):
        read_local(tmp_path / "nowhere.csv")


def test_a_file_whose_last_line_may_be_cut_is_not_taken(services, tmp_path):
    (cut := tmp_path / "a.csv").write_text("request_id,subject_id\nR-1,cust-12")
    for take in (submit, hold):
        with pytest.raises(SettingsError, match=r"a\.csv ends without a line end") as error:
            take(cut)
        assert "cust-12" not in str(error.value)
    assert list(services.store.list_objects("requests/")) == []
