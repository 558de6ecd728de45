from tests.oracles import linear_model
from unlearning.config.method_configs import ScrubConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn


def test_scrub_leaves_its_teacher_on_forget_rows_more_than_on_retain_rows(problem):
    rule = ScrubConfig(
        max_epochs=5, min_epochs=6, batch_size=16, learning_rate=1e-2, loss_weight=0.0
    )
    after = linear_model(5, 3)
    after.load_state_dict(unlearn(problem, UnlearningConfig(method="scrub", scrub=rule)))

    def moved(rows):
        pair = [model(rows.inputs).detach().log_softmax(1) for model in (after, problem.model)]
        return float((pair[0] - pair[1]).square().mean())

    assert moved(problem.forget) > moved(problem.retain) > 0
