from tasks import steps


def test_upkeep_of_an_empty_store_finds_nothing_to_do(home):
    assert steps.enrolled_names.fn() == []
    assert steps.ledger_models.fn() == []
    assert steps.restore_snapshots.fn() == []
    assert steps.request_replays.fn() == 0
    assert steps.drop_leftovers.fn() == 0


def test_upkeep_knows_every_model(world):
    assert steps.enrolled_names.fn() == steps.ledger_models.fn() == ["income"]
    assert steps.due_versions.fn("income") == []
