from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.statements import CopySeen, OtherVersionsStated, VersionSeen
from tasks.journal.reading import read_batch


def test_versions_that_were_seen_are_read_as_they_were_written(services):
    stated = OtherVersionsStated(
        model="income",
        copies=(CopySeen(model="prod", version=2, aliases=("a",), original=1, is_by_source=False),),
        unknown=(VersionSeen(model="income", version=3, aliases=()),),
    )
    services.journal.append(batch_stream("b"), "income/other-versions", stated)
    assert read_batch(services.journal, "b").stated.other_versions == {"income": stated}
