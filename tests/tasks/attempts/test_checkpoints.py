import torch

from tasks.attempts.checkpoints import StoredCheckpoints

KEY = "checkpoints/a-1.safetensors"
STATE = {"epoch": torch.tensor(3), "model/weight": torch.arange(4.0)}


def test_what_was_saved_last_is_loaded_and_nothing_before_the_first(services):
    kept = StoredCheckpoints(services.store, KEY)
    assert kept.load() is None
    kept.save({**STATE, "epoch": torch.tensor(2)})
    kept.save(STATE)
    found = StoredCheckpoints(services.store, KEY).load()
    assert found is not None
    assert found.keys() == STATE.keys()
    assert all(value.equal(found[name]) for name, value in STATE.items())


def test_a_damaged_state_counts_as_none(services, caplog):
    services.store.put(KEY, b"half a file")
    assert StoredCheckpoints(services.store, KEY).load() is None
    assert "starts anew" in caplog.text


def test_the_interval_decides_when_the_next_is_due(services):
    assert StoredCheckpoints(services.store, KEY, interval_s=0.0).is_due()
    kept = StoredCheckpoints(services.store, KEY, interval_s=3600.0)
    assert not kept.is_due()
