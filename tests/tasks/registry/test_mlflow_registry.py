import pytest

from tasks.environment.settings import Settings
from tasks.registry.mlflow_registry import (
    AUDIT_EXPERIMENT,
    EFFECT_TAG,
    TRAINING_EXPERIMENT,
    Registry,
    quoted,
)
from unlearning.errors import ConflictError, UnreachableError


def test_the_alias_moves_from_the_parent_and_from_nothing_else(made):
    registry = made.services.registry
    second = made.register("theirs", "", {})
    registry.set_alias("income", 1)
    registry.move_alias("income", parent=1, version=second)
    registry.move_alias("income", parent=1, version=second)  # as after a lost reply
    assert registry.alias_version("income") == second
    third = made.register("theirs", "", {})  # somebody moves it meanwhile
    with pytest.raises(ConflictError, match=f"moved to version {third} meanwhile"):
        registry.move_alias("income", parent=1, version=second)
    registry.drop_alias("income")
    assert registry.alias_version("income") is None


def test_an_alias_that_somebody_moves_at_once_is_a_conflict_and_stays_theirs(made, monkeypatch):
    registry = made.services.registry
    second, third = made.register("theirs", "", {}), made.register("theirs", "", {})
    registry.set_alias("income", 1)
    theirs = registry.client.set_registered_model_alias

    def set_by_two(model, alias, version):
        theirs(model, alias, version)
        theirs(model, alias, str(third))

    monkeypatch.setattr(registry.client, "set_registered_model_alias", set_by_two)
    with pytest.raises(ConflictError, match=f"moved it to {third} at once; look who serves what"):
        registry.move_alias("income", parent=1, version=second)
    assert registry.alias_version("income") == third


def test_a_model_that_nobody_registered_has_no_alias(services):
    assert services.registry.alias_version("income") is None
    assert not services.registry.is_registered("income")


def test_a_version_is_found_by_the_effect_that_made_it(made):
    registry = made.services.registry
    source = made.client.get_model_version("income", "1").source
    run = made.client.get_model_version("income", "1").run_id
    for _ in range(2):  # as when the call was sent twice
        registry.create_version("income", source, run, {EFFECT_TAG: "a-1/registered"})
    assert registry.find_version("income", "a-1/registered") == 2
    assert registry.find_version("income", "another") is None
    assert registry.version_tags("income", 3)[EFFECT_TAG] == "a-1/registered"
    registry.tag_version("income", 3, {"expunge.gate": "passed"})
    assert registry.version_tags("income", 3)["expunge.gate"] == "passed"


def test_a_run_of_an_effect_is_made_once(services):
    registry = services.registry
    assert registry.find_run(AUDIT_EXPERIMENT, "a-1") is None
    first = registry.ensure_run(AUDIT_EXPERIMENT, "a-1", "batch b-1")
    assert registry.ensure_run(AUDIT_EXPERIMENT, "a-1", "another name") == first
    assert registry.find_run(AUDIT_EXPERIMENT, "a-1") == first


@pytest.mark.parametrize("name", [AUDIT_EXPERIMENT, TRAINING_EXPERIMENT])
def test_an_experiment_that_somebody_deleted_is_restored(services, name):
    registry = services.registry
    run = registry.ensure_run(name, "a-1", "batch b-1")
    registry.client.delete_experiment(registry.experiment_id(name))
    if name == AUDIT_EXPERIMENT:
        registry.check_registry()  # at the start of every run
        assert registry.client.get_experiment_by_name(name).lifecycle_stage == "active"
    assert registry.ensure_run(name, "a-2", "batch b-2") != run
    assert registry.client.get_experiment_by_name(name).lifecycle_stage == "active"


def test_an_experiment_that_another_run_makes_meanwhile_is_that_one(services, monkeypatch):
    real, asked = services.registry.client.get_experiment_by_name, []

    def not_yet(name):
        asked.append(name)
        return real(name) if len(asked) > 1 else None

    made = services.registry.experiment_id(AUDIT_EXPERIMENT)
    monkeypatch.setattr(services.registry.client, "get_experiment_by_name", not_yet)
    assert services.registry.experiment_id(AUDIT_EXPERIMENT) == made


def test_only_a_logged_model_of_mlflow_s_has_an_id(made):
    assert made.services.registry.logged_model_id("income", 1).startswith("m-")
    made.client.create_model_version("income", made.folder.as_uri())
    assert made.services.registry.logged_model_id("income", 2) is None


def test_a_name_with_quotes_is_searched_as_it_is(services):
    for name in ("it's", 'say "x"', "back\\slash"):
        services.registry.client.create_registered_model(name)
        assert services.registry.is_registered(name)
        assert quoted(name)[1:-1] == name


def test_a_server_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = Settings(mlflow_tracking_uri="http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="EXPUNGE_MLFLOW_TRACKING_URI"):
        Registry(settings).check_registry()
