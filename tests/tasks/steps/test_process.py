from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.steps.process import services
from tasks.subjects.key_rotation import rotate


def test_the_same_settings_have_the_same_services(home):
    assert services() is services()
    assert services().settings.home == home


def test_other_settings_have_other_services(home, tmp_path, monkeypatch):
    before = services()
    monkeypatch.setenv("EXPUNGE_STORE", (tmp_path / "elsewhere").as_uri())
    after = services()
    assert after is not before
    assert after.store.uri != before.store.uri
    monkeypatch.delenv("EXPUNGE_STORE")
    assert services() is before


def test_another_key_has_other_services(home):
    before = services()
    rotate(Services.open(load_settings()), name="Ada")
    assert services() is not before
    assert services().settings == before.settings
