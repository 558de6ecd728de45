import json
from dataclasses import asdict

from factories import TABLE, enrollment
from sent_requests import find_rows, submit, validated

from tasks.intake import batches
from tasks.journal.events.requests import RequestBlocked, RequestUnblocked
from tasks.journal.reading import record_enrollment
from tasks.subjects.matches import (
    TableMatches,
    located_records,
    located_subjects,
    matches,
    matches_key,
    searches,
    subject_tables,
    tell_requests_with_rows,
)


def keep(services, batch, number, *found):
    body = json.dumps([asdict(one) for one in found])
    services.store.put(matches_key(batch, number), body.encode())


def test_a_later_search_counts_and_forgets_nobody_who_was_found(services):
    keep(services, "b", 1, TableMatches("t", "id", 1, 9, {"r-1": 2, "r-2": 1}))
    keep(
        services,
        "b",
        2,
        TableMatches("t", "id", 4, 8, {"r-1": 3}),
        TableMatches("s", "id", 1, 1, {}),
    )
    first, second = matches(services, "b")
    assert (first.uri, second.uri) == ("s", "t")
    assert (second.version, second.rows, second.matched_count) == (4, {"r-1": 3, "r-2": 0}, 3)
    assert located_records(services, "b") == {"r-1", "r-2"}


def test_searches_come_in_the_order_in_which_they_were_made(services):
    for number in (1, 2, 10):
        keep(services, "b", number)
    assert searches(services, "b") == [matches_key("b", number) for number in (1, 2, 10)]
    assert searches(services, "other") == []


def test_raw_ids_are_given_of_those_who_have_rows_alone(services):
    submit(services, "one", 1, 2)
    batch = validated(services)
    first, _ = batches.accepted(services, batch)
    keep(services, batch, 1, TableMatches("t", "id", 1, 9, {first.record_id: 1}))
    assert located_subjects(services, batch, "person") == ["person-1"]


def test_tables_of_models_count_and_searched_ones_while_they_are_there(services):
    record_enrollment(services.journal, enrollment())
    keep(services, "b", 1, TableMatches("file:///nowhere", "id", 1, 9, {}))
    assert set(subject_tables(services, "b")) == {TABLE, "file:///holdout"}


def test_only_requests_with_rows_are_told_and_each_is_told_once(services):
    submit(services, "one", 1, 2)
    batch = validated(services)
    find_rows(services, batch)
    for _ in range(2):
        tell_requests_with_rows(services, batch, "told", RequestBlocked, "No rung was enough.")
    for _, event in services.journal.requests():
        assert (event.number, event.name, event.status) == (2, "RequestBlocked", "blocked")
        assert event.facts.reason == "No rung was enough."
    keep(services, batch, 2)
    tell_requests_with_rows(services, batch, "again", RequestUnblocked, "Ada said yes.")
    assert {event.status for _, event in services.journal.requests()} == {"accepted"}
