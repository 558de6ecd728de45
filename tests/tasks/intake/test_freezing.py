"""The manifest of a batch: one name for one input, and one batch for one name."""

import pytest

from tasks.intake import freezing, inbox
from tasks.intake.kept_rows import RequestFile
from tasks.journal.reading import read_batch


def test_the_same_input_has_one_name_and_another_number_of_an_event_another_one(services):
    file = RequestFile("f", "requests/incoming/a.csv", "1", "")
    name = freezing.name_of(services, [file], {"one": 3})
    assert freezing.name_of(services, [file], {"one": 3}) == name
    others = (([], {"one": 3}), ([file], {"one": 4}), ([file], {}))
    assert name not in {freezing.name_of(services, *other) for other in others}


def test_what_is_frozen_stays_as_it_was(services):
    for _ in range(2):
        freezing.freeze(services, "b-1", [], {"two": 1, "one": 3})
    assert inbox.read_manifest(services, "b-1").released == ("one", "two")
    assert read_batch(services.journal, "b-1").event_count == 1


@pytest.mark.parametrize("name", ["ä", "\udce4"])
def test_a_name_that_is_no_text_has_bytes_too(name):
    assert freezing.bytes_of(name) in ("c3a4", "e4")
