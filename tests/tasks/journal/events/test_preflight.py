from factories import model_preflight, preflight


def test_only_models_above_their_limits_give_reasons():
    asked = preflight(models=(model_preflight(), model_preflight(model="other", reason="")))
    assert asked.reasons == ["5 of 100 rows are many."]
