"""Ten random steps and more, and after every run: nobody is found, nobody is missed."""

import os

import pytest
from histories.fuse import fuse
from histories.machine import Histories
from histories.place import Place
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test


@pytest.fixture(scope="module")
def place(tmp_path_factory, mlflow_template):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPUNGE_HOME", "")
        return Place(tmp_path_factory.mktemp("histories"), mlflow_template)


def tell(place, record_property, monkeypatch, **changes):
    """Tell random histories; how many is said at the end of the tests."""
    monkeypatch.setenv("EXPUNGE_HOME", str(place.home))
    Histories.tried = dict.fromkeys(Histories.tried, 0)
    chosen = settings(
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
        **changes,
    )
    try:
        with fuse() as burning, place.listening():

            class History(Histories):
                def __init__(self):
                    super().__init__(place, burning)

            run_state_machine_as_test(History, settings=chosen)
    finally:
        for name, count in Histories.tried.items():
            record_property(f"tried {name}", count)


def test_short_histories_keep_every_promise(place, record_property, monkeypatch):
    tell(
        place,
        record_property,
        monkeypatch,
        max_examples=3,
        stateful_step_count=8,
        derandomize=True,
    )


@pytest.mark.slow
def test_long_histories_keep_every_promise(place, record_property, monkeypatch):
    count = int(os.environ.get("HISTORIES", "500"))
    tell(place, record_property, monkeypatch, max_examples=count, stateful_step_count=14)
