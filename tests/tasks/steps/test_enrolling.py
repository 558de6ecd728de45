from tasks import steps


def test_a_source_is_pinned_to_the_version_that_the_table_has(world):
    pinned = steps.pin_source.fn(world.source())
    assert pinned.dataset_version is not None
    assert pinned.dataset == world.source().dataset


def test_enrolling_names_the_model(world):
    source = world.source(model="other")
    version = steps.train_version.fn(source, (4,), source.unlearning.retraining)
    assert steps.enroll_version.fn(source, version, trust_pickle=False) == "other"
