"""A confined process says what holds, and ends with all that it started."""

import sys
import time
from pathlib import Path

from tasks.registry.confined.launching import end, launch, missing_barriers
from tasks.registry.confined.places import allowed_places


def started(folder, code, **options):
    places = allowed_places("", folder, [], {})
    return launch([sys.executable, "-c", code], folder, {}, places, **options)


def test_barriers_that_it_does_not_name_are_missing():
    assert missing_barriers(b"network files\n") == []
    assert missing_barriers(b"network\n") == ["files"]


def test_its_output_ends_with_its_barriers_unless_it_answers(tmp_path):
    silent = started(tmp_path, "print('more')")
    said = silent.stdout.read().splitlines()
    end(silent)
    assert len(said) == 1
    talking = started(tmp_path, "print(input())", answers=True)
    talking.stdin.write(b"hello\n")
    talking.stdin.flush()
    assert talking.stdout.read().splitlines()[1:] == [b"hello"]
    end(talking)


def test_whatever_it_started_ends_with_it(tmp_path):
    code = "import os, time\npid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(1000)"
    process = started(tmp_path, code, answers=True)
    process.stdout.readline()
    child = int(process.stdout.readline())
    end(process)
    assert process.poll() is not None
    while _runs(child):  # killed, and perhaps not gone yet
        time.sleep(0.1)


def _runs(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
