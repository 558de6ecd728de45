import inspect

import pytest
from prefect.cache_policies import NO_CACHE

from tasks import pipeline, steps
from tasks.foreign_errors import is_transient

PLAIN = {
    name: method
    for name, method in inspect.getmembers(pipeline.Steps, inspect.isfunction)
    if not name.startswith("_")
}


def test_prefect_runs_every_step_of_the_pipeline():
    assert set(PLAIN) <= set(steps.__all__)


@pytest.mark.parametrize("name", sorted(set(steps.__all__) - {"TASKS"}))
def test_every_step_has_the_one_policy(name):
    step = getattr(steps, name)
    assert step.retries == 3
    assert step.retry_condition_fn is is_transient
    assert step.cache_policy == NO_CACHE
    assert step.persist_result is False


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_prefect_records_a_step_by_its_name_and_its_arguments(name):
    step = getattr(steps, name)
    assert step.name == name
    expected = list(inspect.signature(PLAIN[name]).parameters)[1:]
    assert list(inspect.signature(step.fn).parameters) == expected
    assert step.description == inspect.getdoc(PLAIN[name])
