from tasks.registry import model_versions
from tasks.registry.mlflow_registry import EFFECT_TAG, RETIRED_TAG


def version(made, number):
    return model_versions.registered_versions(made.services.registry, "income")[number]


def test_versions_come_by_number_with_tags_and_aliases(made):
    made.register("theirs", "a-1/registered", {EFFECT_TAG: "a-1/registered"})
    made.client.set_registered_model_alias("income", "shadow", "2")
    first, second = version(made, 1), version(made, 2)
    assert (first.aliases, first.effect) == ((), "")
    assert (second.aliases, second.effect) == (("champion", "shadow"), "a-1/registered")
    assert model_versions.side_aliases(made.services.registry, second) == ["shadow"]


def test_a_version_in_quarantine_is_marked_and_nobody_loads_it_by_mistake(made):
    made.register("theirs", "", {"expunge.gate": "passed"})
    made.client.set_registered_model_alias("income", "shadow", "2")
    made.services.registry.set_alias("income", 1)
    assert not model_versions.is_quarantined(version(made, 2))
    registry = made.services.registry
    model_versions.quarantine(registry, "income", version(made, 2), "2026-01-10")
    assert model_versions.is_quarantined(version(made, 2))
    assert version(made, 2).tags == {RETIRED_TAG: "2026-01-10"}
    assert not model_versions.is_quarantined(version(made, 1))


def test_a_folder_that_mlflow_made_is_the_version_s_own_and_any_other_is_not(made):
    registry = made.services.registry
    place = model_versions.own_place(registry, "income", version(made, 1))
    assert place.is_own
    logged = model_versions.logged_models(registry, version(made, 1), "")
    assert list(logged.values()) == [place.uri]
    made.client.create_model_version("income", made.folder.as_uri())
    assert not model_versions.own_place(registry, "income", version(made, 2)).is_own


def test_a_version_is_deleted_with_its_logged_models_however_often(made):
    registry = made.services.registry
    logged = list(model_versions.logged_models(registry, version(made, 1), ""))
    assert not model_versions.is_deleted(registry, "income", 1, logged)
    for _ in range(2):
        model_versions.delete_version(registry, "income", 1, logged)
    assert model_versions.is_deleted(registry, "income", 1, logged)
