import pytest
from factories import TABLE, dataset, enrollment

from tasks.environment.settings import load_settings
from tasks.journal.reading import record_enrollment
from tasks.registry.services import Services

pytestmark = pytest.mark.usefixtures("home")


def test_a_table_is_closed_by_somebody_for_a_reason(expunge):
    services = Services.open(load_settings())
    record_enrollment(services.journal, enrollment())
    refused = expunge("close-table", TABLE, "--by", "Ada", "--reason", "moved")
    assert "enrol it on another table first" in " ".join(refused.err.split())
    next_one = enrollment(version=2, digest="d2", dataset=dataset(uri="file:///next"))
    record_enrollment(services.journal, next_one)
    assert "--reason" in expunge("close-table", TABLE, "--by", "Ada").sentence
    said = expunge("close-table", TABLE, "--by", "Ada", "--reason", "moved")
    assert said.out == f"Closed {TABLE}: it is searched no more\n"
