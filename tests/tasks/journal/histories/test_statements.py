from tasks.journal.events.statements import OtherVersionsStated
from tasks.journal.histories.statements import Statements, note_statement


def test_what_was_stated_is_kept_by_model():
    stated, facts = Statements(), OtherVersionsStated(model="income", copies=(), unknown=())
    note_statement(stated, facts)
    assert stated.other_versions == {"income": facts}
    assert Statements().other_versions == {}
