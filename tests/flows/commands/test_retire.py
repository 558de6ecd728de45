def test_a_dry_run_shows_what_would_be_retired_and_changes_nothing(expunge, world):
    world.forget_without_retiring(20)
    before = world.effects()
    said = expunge("retire", "--dry-run")
    assert said.status == 0
    assert "Old model versions" in said.out
    first, second = (line for line in said.out.splitlines() if "income" in line)
    assert "retired" in first
    assert "to be retired" in second
    assert world.effects() == before
