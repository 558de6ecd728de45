"""A store that overwrites what was created is refused before anything is lost."""

import pytest

from tasks.store.probe import FOLDER, refuse_overwriting
from unlearning.errors import SettingsError


def test_a_store_that_creates_once_passes_and_nothing_is_left(any_store):
    refuse_overwriting(any_store)
    assert not list(any_store.list_objects(FOLDER))
    assert any_store.count_noncurrent(FOLDER) == 0


@pytest.mark.parametrize("any_services", ["s3"], indirect=True)
def test_a_server_that_ignores_the_condition_is_refused_by_name(any_store):
    def ignore(request, **_):
        del request.headers["If-None-Match"]

    any_store.client.meta.events.register("before-sign.s3.PutObject", ignore)
    any_store.put_if_absent("requests/incoming/a.csv", b"one")
    assert any_store.put_if_absent("requests/incoming/a.csv", b"two")  # the first one is lost
    any_store.check()
    with pytest.raises(SettingsError, match=f"{any_store.uri} overwrites .*If-None-Match"):
        refuse_overwriting(any_store)
    assert not list(any_store.list_objects(FOLDER))
