"""A model that nobody knows to answer stops those who have rows in its tables, and nobody else."""

import pytest
from deltalake import DeltaTable
from erased_world import world
from two_tables import FIRST, enroll_photos, work_off

from tasks.attempts import served
from tasks.journal.reading import read_enrollment
from tasks.versions import retirement

__all__ = ["world"]


def remove_model(world):
    world.services.registry.client.delete_registered_model("photos")


def drop_alias(world):
    world.services.registry.drop_alias("photos")


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (remove_model, "MLflow has no model photos any more"),
        (drop_alias, "No version of photos holds the alias 'champion'"),
    ],
)
def test_a_model_that_is_gone_stops_only_people_of_its_tables(world, lose, said):
    table = enroll_photos(world)
    version = DeltaTable(table).version()
    assert served.unserved(world.services) == {}
    lose(world)
    (why,) = served.unserved(world.services).values()
    assert why.startswith(said)
    assert "`expunge unenroll photos --by NAME --reason TEXT`" in why
    world.submit("S", [20, 9999])
    assert work_off(world) == []
    assert world.certificate("S-20")["outcome"] == "erased"
    assert world.certificate("S-9999")["outcome"] == "not_found"
    world.submit("P", [FIRST])
    assert work_off(world) == [why]
    assert FIRST in world.there(table)
    assert world.requests()[f"P-{FIRST}"].status == "accepted"
    assert DeltaTable(table).version() == version
    assert retirement.alarms(world.services, "photos") == []


def test_a_version_that_nobody_enrolled_stops_only_people_of_its_table(world):
    enroll_photos(world)
    client = world.services.registry.client
    client.create_model_version("photos", client.get_model_version("photos", "1").source)
    world.services.registry.set_alias("photos", 2)
    world.submit("S", [20])
    assert work_off(world) == []
    world.submit("P", [FIRST])
    (why,) = work_off(world)
    assert "version 2, but version 1 is enrolled" in why
    enrollment = read_enrollment(world.services.journal, "photos")
    world.services.registry.set_alias("photos", 1)
    assert served.why_unserved(world.services, enrollment) == ""
    assert work_off(world) == []
    assert world.certificate(f"P-{FIRST}")["outcome"] == "erased"
