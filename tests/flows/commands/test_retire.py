def test_a_dry_run_shows_what_would_be_retired_and_changes_nothing(expunge, world):
    before = world.effects()
    said = expunge("retire", "--dry-run")
    assert said.status == 0
    assert "Old model versions" in said.out
    (line,) = (line for line in said.out.splitlines() if "income" in line)
    assert "to be retired" in line
    assert world.effects() == before
