from dataclasses import replace

import pytest
from factories import HOLDOUT, TABLE, enrollment, frozen

from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import ObjectColumn
from tasks.journal.reading import (
    columns_on_record,
    config_digest,
    enrolled_models,
    ever_kinds,
    object_columns,
    read_batch,
    read_enrollment,
    read_model,
    record_enrollment,
    subject_columns,
)
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import DataError


def test_a_model_stands_as_it_was_enrolled_last(services):
    record_enrollment(services.journal, enrollment())
    assert read_enrollment(services.journal, "income") == enrollment()
    record_enrollment(services.journal, enrollment(row_count=90))
    assert read_enrollment(services.journal, "income").row_count == 90
    assert read_model(services.journal, "income").event_count == 2


def test_a_model_that_nobody_enrolled_is_refused_with_what_to_do(services):
    with pytest.raises(DataError, match="expunge enroll other"):
        read_enrollment(services.journal, "other")


def test_models_come_in_name_order_with_their_tables(services):
    for name in ("m/2", "m/1"):
        record_enrollment(services.journal, enrollment(model=name))
    assert [e.model for e in enrolled_models(services.journal)] == ["m/1", "m/2"]
    assert subject_columns(services.journal) == dict.fromkeys(
        (TABLE, HOLDOUT), ("subject_id", "person")
    )


def test_columns_of_addresses_are_those_that_each_model_was_last_enrolled_with(services):
    first, second = (ObjectColumn(name, "s3://lake/people") for name in ("photo", "scan"))
    for model, *columns in (("a", first), ("b", second, first), ("a", second), ("c",)):
        spec = replace(enrollment().dataset, objects=tuple(columns))
        record_enrollment(services.journal, enrollment(model=model, dataset=spec))
    assert object_columns(services.journal, HOLDOUT) == (first, second)
    record_enrollment(services.journal, enrollment(model="b"))
    assert object_columns(services.journal, TABLE) == (second,)
    assert object_columns(services.journal, "file:///other") == ()


def test_no_enrolment_makes_a_column_or_a_kind_forgotten(services):
    for name, kind in (("subject_id", "person"), ("boss", "staff")):
        spec = replace(enrollment().dataset, subject=name, subject_kind=kind)
        record_enrollment(services.journal, enrollment(dataset=spec))
    elsewhere = replace(enrollment().dataset, subject="who")
    record_enrollment(services.journal, enrollment(model="other", dataset=elsewhere))
    columns = {("subject_id", "person"), ("boss", "staff"), ("who", "person")}
    assert columns_on_record(services.journal) == dict.fromkeys((TABLE, HOLDOUT), columns)
    assert ever_kinds(services.journal) == {"person", "staff"}


def test_an_unknown_batch_is_empty(services):
    assert read_batch(services.journal, "b-0").status == ""
    services.journal.append(batch_stream("b-0"), "e", frozen())
    assert read_batch(services.journal, "b-0").status == "frozen"


def test_rules_decide_about_the_digest_and_tables_do_not():
    same = config_digest(enrollment(row_count=7, holdout="elsewhere"))
    assert same == config_digest(enrollment())
    assert config_digest(enrollment(policy=GatePolicy(references=0))) != same


def test_the_digest_of_the_rules_is_the_recorded_one(services):
    record_enrollment(services.journal, enrollment())
    recorded = read_model(services.journal, "income").config_digest
    assert recorded == config_digest(enrollment())
