import pytest

from tasks.environment.settings import load_settings
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services
from unlearning.errors import SettingsError


def test_services_share_one_store_and_read_each_object_of_it_once(services):
    assert services.journal.store is services.store
    assert services.frozen.store is services.store
    assert services.registry.settings is services.settings
    assert services.store.uri == services.settings.store_uri


def test_another_store_may_be_given(home, tmp_path):
    found = Services.open(load_settings(), (tmp_path / "elsewhere").as_uri())
    assert found.store.uri == (tmp_path / "elsewhere").as_uri()
    assert found.journal.read(batch_stream("b")) == []


def test_an_unusable_address_is_refused_before_anything_is_reached(home):
    with pytest.raises(SettingsError, match="EXPUNGE_STORE"):
        Services.open(load_settings(), "ftp://x/y")


def test_who_rehearses_reads_the_store_and_leaves_it_and_the_key_as_they_are(home):
    real = Services.open(load_settings())
    real.store.put("a", b"1")
    found = Services.rehearsing(load_settings())
    found.store.put("b", b"2")
    assert (found.store.get("a"), len(found.settings.pseudonym_secret())) == (b"1", 32)
    assert [info.key for info in real.store.list_objects("")] == ["a"]
    assert not (home / "pseudonym.key").exists()
    secret = real.settings.pseudonym_secret()
    assert Services.rehearsing(load_settings()).settings.pseudonym_secret() == secret
