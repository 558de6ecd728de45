from tests.oracles import linear_model
from unlearning.config.method_configs import DescentConfig
from unlearning.methods.catalog import unlearn
from unlearning.model.scores import read_scores


def losses(problem, config):
    """Mean loss on forget and retain rows, after less before."""
    model = linear_model(5, 3)
    model.load_state_dict(unlearn(problem, config))
    return [
        read_scores(model, rows, chunk_size=64).mean_loss
        - read_scores(problem.model, rows, chunk_size=64).mean_loss
        for rows in (problem.forget, problem.retain)
    ]


STEPS = DescentConfig(epochs=5, batch_size=16, learning_rate=1e-2)
