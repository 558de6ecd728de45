from tasks.journal.events import ids


def test_rounds_in_a_table_have_ids_of_their_own():
    first, second = ids.erased("file:///t"), ids.erased("file:///t", 2)
    assert second == f"{first}/2"
    assert ids.erased("file:///u") != first
    assert ids.purged_files("file:///t") != first
    assert ids.gone("file:///t").startswith("gone/")
    assert ids.advanced("b-1", "file:///t", 2).startswith("b-1/advanced/")


def test_no_address_stands_in_an_id():
    assert "secret" not in ids.erased("s3://secret/place")


def test_the_first_search_has_a_plain_id():
    assert [ids.resolved(1), ids.resolved(2)] == ["resolved", "resolved/2"]


def test_a_question_and_its_answers_share_their_number():
    made = [ids.asked(3), ids.retracted(3), ids.approved(3), ids.rejected(3)]
    assert all(one.startswith("approval/3/") for one in made)
    assert len(set(made)) == 4
    assert ids.requests_told(ids.approved(3)) == "approval/3/approved/told"


def test_an_intent_is_told_from_its_outcome():
    assert ids.intent(ids.SUPPRESSED) == "suppressed/intent"


def test_what_a_model_is_free_of_depends_on_version_and_snapshot():
    assert len({ids.untouched("m", 1, 0), ids.untouched("m", 1, 1), ids.untouched("m", 2, 0)}) == 3
