from dataclasses import replace

import pytest
from factories import dataset, enrollment

from tasks.enrolling.subject_kinds import settled_kind
from tasks.journal.reading import record_enrollment
from unlearning.errors import DataError, SettingsError

CRM, CRM_HOLDOUT, STAFF = "file:///crm", "file:///crm-holdout", "file:///staff"


def spec(uri=CRM, kind="", column="subject_id"):
    return replace(dataset(uri=uri), subject_kind=kind, subject=column)


def settle(services, uri=CRM, holdout=CRM_HOLDOUT, **said):
    return settled_kind(services.journal, spec(uri, **said), holdout)


@pytest.fixture
def known(services):
    """Services under which a model on customers is enrolled."""
    customers = enrollment(model="churn", dataset=spec(kind="customer"), holdout=CRM_HOLDOUT)
    record_enrollment(services.journal, customers)
    return services


def test_the_first_model_of_all_has_persons_unless_somebody_says_otherwise(services):
    assert settle(services) == "person"
    assert settle(services, kind="customer") == "customer"


def test_tables_that_were_enrolled_before_keep_their_kind(known):
    assert settle(known) == "customer"
    assert settle(known, f"{CRM}/") == "customer"
    with pytest.raises(DataError, match="was enrolled with subjects of the kind customer"):
        settle(known, kind="person")


def test_they_keep_it_after_their_model_went_on_to_other_tables(known):
    moved = enrollment(model="churn", dataset=spec(STAFF, kind="employee"), holdout=STAFF)
    record_enrollment(known.journal, moved)
    with pytest.raises(DataError, match="of the kind customer"):
        settle(known, kind="employee")


@pytest.mark.parametrize(
    "new",
    [
        {"uri": STAFF, "holdout": "file:///staff-holdout"},
        {"uri": STAFF},
        {"holdout": STAFF},
        {"column": "employee_id"},
    ],
)
def test_of_a_new_table_or_column_somebody_must_say_whose_ids_they_are(known, new):
    with pytest.raises(SettingsError) as refused:
        settle(known, **new)
    said = str(refused.value)
    assert "add --subject-kind customer if the same id" in said
    assert "--subject-kind with a name of its own" in said
    assert settle(known, **new, kind="customer") == "customer"


def test_a_kind_of_its_own_is_for_tables_of_its_own(known):
    assert settle(known, STAFF, "file:///staff-holdout", kind="employee") == "employee"
    with pytest.raises(DataError, match=CRM_HOLDOUT):
        settle(known, STAFF, kind="employee")


def test_a_kind_must_have_a_name_that_can_be_typed(services):
    with pytest.raises(SettingsError, match="small letters"):
        settle(services, kind="Employee")
