"""A worker answers from where it has nothing but what it is given, and leaves nothing behind."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.registry.confined.role import Role
from tasks.registry.confined.worker import Worker
from tasks.registry.services import Services
from unlearning.errors import OutOfMemoryError, RecipeError, SettingsError

ANSWERS = b"""\
import os, sys
from pathlib import Path

def answer(question):
    return {name: globals()[name](value) for name, value in question.items() if name != "source"}

def reach(place):
    try:
        return os.listdir(place)
    except OSError:
        return "refused"

def call(port):
    import socket
    try:
        return str(socket.create_connection(("127.0.0.1", port), 2))
    except OSError:
        return "refused"

def double(name):
    text = Path(name).read_text()
    print("nobody hears this")
    Path("out").write_text(text + text)
    return len(text)

def environment(_):
    return [name for name in os.environ if "SECRET" in name or "EXPUNGE" in name]

def process(_):
    return os.getpid()

def hook(_):
    import hook

def lacks(_):
    import nowhere

def says(name):
    raise ModuleNotFoundError(name=name)

def wait(seconds):
    import time
    time.sleep(seconds)

def die(number):
    os.kill(os.getpid(), number)

def link(place):
    os.symlink(place, "in")

def leave(place):
    os.symlink(place, "out")

def no_memory(_):
    raise MemoryError
"""
HOOK = b"value = 'a row'\nraise ValueError(value)\n"
ROLE = Role("The hook of income", "mend it, and enrol income again", RecipeError, "hook.py")


@pytest.fixture
def worker(services):
    made = Worker(services.settings, ROLE, {"answers.py": ANSWERS, "hook.py": HOOK})
    yield made
    made.close()


def ask(worker, *, seconds=60, given=None, wanted=None, **question):
    return worker.ask(question, seconds=seconds, given=given, wanted=wanted)


def test_it_answers_with_words_and_files_and_keeps_neither(worker):
    said, left = ask(worker, double="in", given={"in": b"ab"}, wanted={"out": 100})
    assert (said, left) == ({"double": 2}, {"out": b"abab"})
    said, _ = ask(worker, reach=".")
    assert not {"in", "out"} & set(said["reach"])


def test_one_process_answers_every_question(worker):
    assert ask(worker, process=0) == ask(worker, process=0)


def test_it_reaches_neither_home_nor_network_nor_secrets(worker, services, monkeypatch):
    import socket

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    home = str(services.settings.home.resolve())
    with socket.create_server(("127.0.0.1", 0)) as server:
        said, _ = ask(worker, reach=home, call=server.getsockname()[1], environment=0)
    assert said == {"reach": "refused", "call": "refused", "environment": []}


def test_a_folder_may_be_put_in_its_reach(services, tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "a").touch()
    place = tmp_path / "given"
    worker = Worker(services.settings, ROLE, {"answers.py": ANSWERS}, readable=[place])
    said, _ = ask(worker, reach=str(place))
    worker.close()
    assert said == {"reach": ["a"]}


def test_what_fails_names_a_line_and_never_a_row(worker):
    with pytest.raises(RecipeError) as refused:
        ask(worker, hook=0)
    assert str(refused.value) == (
        "The hook of income raises ValueError in line 2; mend it, and enrol income again."
    )
    assert ask(worker, double="in", given={"in": b"a"})[0] == {"double": 1}


def test_a_package_that_its_python_lacks_is_named_if_the_code_names_it(worker):
    with pytest.raises(SettingsError, match="needs the package nowhere, which its Python"):
        ask(worker, lacks=0)
    with pytest.raises(SettingsError, match="needs a package, which its Python"):
        ask(worker, says="lovelace")


def test_one_that_hangs_is_ended_and_the_next_question_starts_another(worker):
    before, _ = ask(worker, process=0)
    with pytest.raises(RecipeError, match="did not answer within 1 s; mend it"):
        ask(worker, wait=1000, seconds=1)
    after, _ = ask(worker, process=0)
    assert before != after


def test_one_that_does_not_even_read_a_long_question_is_ended(worker):
    number = ask(worker, process=0)[0]["process"]
    os.kill(number, signal.SIGSTOP)
    with pytest.raises(RecipeError, match="did not answer within 1 s; mend it"):
        ask(worker, process="x" * (1 << 20), seconds=1)
    assert ask(worker, process="x" * (1 << 20))[0]["process"] != number


def test_the_answer_to_an_interrupted_question_is_not_taken_for_the_next_one(worker):
    ask(worker, process=0)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(worker, wait=5)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ask(worker, process=0)[0].keys() == {"process"}


def test_one_that_ends_by_itself_is_told(worker):
    with pytest.raises(RecipeError, match="ended with status -6 and no word"):
        ask(worker, die=signal.SIGABRT)


@pytest.mark.parametrize("question", [{"die": signal.SIGKILL}, {"no_memory": 0}], ids=str)
def test_memory_that_runs_out_is_no_fault_of_its_code(worker, question):
    with pytest.raises(OutOfMemoryError, match="the process of the hook of income"):
        ask(worker, **question)


def test_links_that_it_leaves_are_followed_neither_for_writing_nor_for_reading(worker, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("kept")
    ask(worker, link=str(mine))
    said, _ = ask(worker, double="in", given={"in": b"ab"}, wanted={"out": 100})
    assert said == {"double": 2}
    _, left = ask(worker, leave=str(mine), wanted={"out": 100})
    assert left == {"out": b""}
    assert mine.read_text() == "kept"


def test_a_file_larger_than_it_may_be_is_not_read(worker):
    with pytest.raises(RecipeError, match="gives far more than it should"):
        ask(worker, double="in", given={"in": b"abc"}, wanted={"out": 5})


def test_where_the_machine_cannot_confine_it_it_must_be_trusted(services, monkeypatch):
    monkeypatch.setattr("tasks.registry.confined.worker.missing_barriers", lambda _: ["files"])
    refused = Worker(services.settings, ROLE, {"answers.py": ANSWERS})
    with pytest.raises(SettingsError, match="cannot keep the hook of income from files"):
        ask(refused, process=0)
    role = Role(ROLE.name, ROLE.remedy, ROLE.error, trusted=True)
    trusted = Worker(services.settings, role, {"answers.py": ANSWERS})
    assert ask(trusted, environment=0)[0] == {"environment": []}
    trusted.close()


def test_it_outlives_the_thread_that_asked_first(worker):
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(worker, process=0)))
    thread.start()
    thread.join()
    assert ask(worker, process=0) == found[0]


def test_nothing_is_left_of_it_once_nobody_holds_it(services):
    worker = Worker(services.settings, ROLE, {"answers.py": ANSWERS})
    number = ask(worker, process=0)[0]["process"]
    del worker
    gc.collect()
    assert list((services.settings.home / "downloads").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


KILLED = """\
import sys
from tasks.environment.settings import load_settings
from tasks.registry.confined.role import Role
from tasks.registry.confined.worker import Worker
from unlearning.errors import RecipeError
worker = Worker(load_settings(), Role("It", "mend it", RecipeError),
                {"answers.py": sys.argv[1].encode()})
print(worker.ask({"process": 0}, seconds=60)[0]["process"], flush=True)
worker.ask({"wait": 1000}, seconds=1000)
"""


def test_it_dies_with_a_run_that_is_killed_and_the_next_start_removes_its_folder(services):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, ANSWERS.decode()],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    number = json.loads(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    while _runs(number):
        time.sleep(0.1)
    Services.open(services.settings)
    assert list((services.settings.home / "downloads").iterdir()) == []


def _runs(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
