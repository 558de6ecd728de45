"""Names that writers of Delta give."""

import pytest

from tasks.tables import writers

UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("00000000000000000007.json", "used"),
        ("_last_checkpoint", "used"),
        (f"00000000000000000007.json.{UUID}.tmp", "old"),
        (f"_commit_{UUID}.json.tmp", "old"),
        ("00000000000000000007.json.bak", "foreign"),
        ("7.json", "foreign"),
    ],
)
def test_an_entry_of_the_log_is_told_by_its_name(name, kind):
    assert writers.kind_in_log(name) == kind


@pytest.mark.parametrize(
    "name", [f"part-00000-{UUID}.c000.zstd.parquet", f"part-1-{UUID}.parquet#1"]
)
def test_a_data_file_bears_a_name_that_nobody_else_gives(name):
    assert writers.DATA.fullmatch(name)
    assert writers.CHANGES.fullmatch(name)
    assert not writers.DATA.fullmatch(name.replace("part", "copy"))
    assert not writers.VECTORS.fullmatch(name)
