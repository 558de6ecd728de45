import json
import re
from dataclasses import replace

import pytest
from small_tables import subject

from tasks.intake import batches
from tasks.journal.reading import record_enrollment
from tasks.subjects import open_batches


@pytest.mark.usefixtures("home")
def test_an_empty_store_says_what_to_do(expunge):
    said = expunge("status")
    assert said.status == 0
    assert "No request was read yet in file:///" in said.out
    assert "No model is enrolled in file:///" in said.out


def test_files_that_wait_and_what_is_overdue_are_said(expunge, world):
    world.submit("Q", [40])
    said = " ".join(expunge("status").out.split())
    assert "1 file of requests: not read yet. Next: expunge run" in said
    (batch,) = open_batches.open_batches(world.services)
    assert f"Batch {batch} is at work (frozen) since" in " ".join(expunge("status").out.split())
    batches.validate(world.services, batch)
    told = " ".join(expunge("status").out.split())
    assert "Q-40 │ accepted │ 2026-12-20 │" in told
    assert told.index("Q-40") < told.index("R-0")


def test_where_the_name_of_an_unusable_file_stands_is_said_and_not_the_name(expunge, world):
    world.store.put(f"requests/incoming/{subject(40)}.json", b"{")
    world.run()
    said = expunge("status").out
    (place,) = re.findall(r"store/(requests/quarantine/b-\w+\.jsonl)", said)
    assert f"{subject(40)}.json".encode() in world.store.get(place)
    told = expunge("status", "--json").out
    (one,) = [r for r in json.loads(told)["requests"] if r["status"] == "quarantined"]
    assert one["kept_at"] == place
    assert subject(40) not in said + told
    world.store.delete(place)
    assert "requests/quarantine" not in expunge("status").out


@pytest.mark.usefixtures("home")
def test_everything_is_one_json_object(expunge):
    found = json.loads(expunge("status", "--json").out)
    assert found.keys() >= {"requests", "batches", "waiting", "models", "alarms"}
    assert found["requests"] == found["alarms"] == []


@pytest.mark.usefixtures("world")
def test_requests_and_models_stand_in_tables(expunge):
    said = " ".join(expunge("status").out.split())
    assert "8 requests, such as R-0" in said
    assert "erased" in said
    assert "232 rows of train" in said
    assert "retrain" in said
    assert "none needed" in said
    assert "ledger" not in said


def test_the_recipe_of_a_model_is_named(expunge, world):
    record_enrollment(
        world.services.journal, replace(world.enrolled(), recipe=f"recipes/{'5e' * 32}.py")
    )
    assert "recipe 5e5e5e5e5e5e" in " ".join(expunge("status").out.split())


def test_an_alias_on_what_remembers_is_an_alarm(expunge, world):
    world.set_alias(1)
    said = " ".join(expunge("status").out.split())
    assert "ALARM" in said
    assert "version 1" in said
    assert "run `expunge run`" in said


def test_a_copy_that_serves_is_an_alarm_and_an_unknown_version_a_note(expunge, world):
    client = world.services.registry.client
    client.copy_model_version("models:/income/1", "prod-income")
    client.set_registered_model_alias("prod-income", "live", "1")
    client.create_model_version("income", "s3://elsewhere/weights")
    found = json.loads(expunge("status", "--json").out)
    (alarm,), (note,) = found["alarms"], found["notes"]
    assert alarm.startswith("prod-income version 1 has the alias live")
    assert note.startswith("income version 3 was neither enrolled nor made by expunge")
    assert "Note: income version 3" in " ".join(expunge("status").out.split())
