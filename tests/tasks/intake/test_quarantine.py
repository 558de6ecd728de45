import json

from tasks.intake import quarantine


def test_what_json_has_no_numbers_for_is_kept_in_words(services):
    quarantine.keep(services, "b", [{"row": {"a": float("nan"), "b": [float("inf"), 1]}}])
    (kept,) = services.store.list_objects("requests/quarantine/")
    assert json.loads(services.store.get(kept.key)) == {"row": {"a": "nan", "b": ["inf", 1]}}
