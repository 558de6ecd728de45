import json
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
from every_event import EVERY_EVENT

from tasks.journal.events.catalog import FACTS, Fact, from_json, model_stream, to_json
from tasks.journal.events.event import Event, Kind
from unlearning.errors import DataError

ALL = [kind for kinds in FACTS.values() for kind in kinds]


@pytest.mark.parametrize("facts", EVERY_EVENT, ids=lambda facts: type(facts).__name__)
def test_every_event_is_read_as_it_was_written(facts):
    event = Event(7, "some/id", "2026-11-30T01:02:03.004+00:00", "validated", facts)
    kind: Kind = next(kind for kind, events in FACTS.items() if type(facts) in events)
    assert from_json(json.loads(json.dumps(to_json(event), allow_nan=False)), kind) == event


def test_there_is_a_sample_of_every_event():
    assert {type(facts) for facts in EVERY_EVENT} == set(ALL) == set(get_args(Fact))


def test_no_two_events_have_one_name():
    assert len({kind.__name__ for kind in ALL}) == len(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_event_is_frozen_and_says_what_happened(kind):
    assert kind.__dataclass_params__.frozen
    assert is_dataclass(kind)
    assert kind.__doc__
    assert kind.__doc__.endswith(".")
    assert all(field.name.islower() for field in fields(kind))


def test_an_event_that_is_unknown_or_broken_is_refused_without_its_facts():
    values = to_json(Event(1, "i", "", "", EVERY_EVENT[0]))
    for change in (
        {"name": "NeverHappened"},
        {"name": "BatchClosed"},  # of another kind of stream
        {"facts": {"disposition": "secret"}},
    ):
        with pytest.raises(DataError, match="cannot read; use the release") as caught:
            from_json(values | change, "requests")
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_models_name_may_hold_anything():
    assert str(model_stream("a/b c")) == "models/a%2Fb%20c"


def test_a_status_is_read_without_torch():
    code = (
        "import sys, tasks.journal.reading, tasks.journal.events.catalog;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
