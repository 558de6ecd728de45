import json


def test_a_model_is_taken_out_by_name_and_reason(expunge, world):
    assert "--reason" in expunge("unenroll", "income", "--by", "Ada").sentence
    said = expunge("unenroll", "income", "--by", "Ada", "--reason", "It moved to another team.")
    assert "Took income out: no batch asks it any more" in said.out
    assert "still holds the alias 'champion'" in " ".join(said.out.split())
    shown = " ".join(expunge("status").out.split())
    assert "taken out by Ada" in shown
    assert "ALARM" not in shown
    (ended,) = [one for one in trace(expunge, 2) if one["what"] == "taken out"]
    assert (ended["by"], ended["why"]) == ("Ada", "It moved to another team.")


def trace(expunge, version):
    found = json.loads(expunge("trace", "--model", "income", "--version", version).out)
    return found[0]["since"]
