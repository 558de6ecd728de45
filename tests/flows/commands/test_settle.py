import json
import re

import pytest
from small_tables import MARK, subject

from tasks.intake import batches
from tasks.subjects import near_matches, open_batches


@pytest.mark.usefixtures("home")
def test_one_of_two_things_must_be_said(expunge):
    said = ("settle", "R-1", "--by", "Ada", "--reason", "Why.")
    assert "--exact and --withdraw" in expunge(*said).sentence
    assert "--exact and --withdraw" in expunge(*said, "--exact", "--withdraw").sentence
    assert "No request 'R-1' waits" in expunge(*said, "--exact").sentence


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves
def test_status_shows_what_is_unclear_with_the_command_that_settles_it(world, expunge):
    for n in (30, 31):
        line = {
            "request_id": f"N-{n}",
            "subject_id": subject(n).upper(),
            "received_at": "2026-11-20T03:04:05Z",
        }
        world.store.put(f"requests/incoming/{n}.jsonl", json.dumps(line).encode())
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    near_matches.set_aside(world.services, batch)
    shown = " ".join(expunge("status").out.split())
    assert "2 requests are unclear" in shown
    assert re.search("expunge settle N-3[01] --exact --by NAME --reason TEXT", shown)
    by = ("--by", "Ada", "--reason", "She said so.")
    assert "expunge run" in expunge("settle", "N-30", "--exact", *by).out
    assert "N-31 is withdrawn" in expunge("settle", "N-31", "--withdraw", *by).out
    found = expunge("status", "--json").out
    told = {r["request_id"]: r["status"] for r in json.loads(found)["requests"]}
    assert (told["N-30"], told["N-31"]) == ("accepted", "withdrawn")
    assert MARK not in found.lower() + shown.lower()
