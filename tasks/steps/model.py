"""One batch and one model: from candidate to promoted version, or what is left."""

from tasks.pipeline import Steps
from tasks.steps.policy import step

make_candidate = step(Steps.make_candidate)
evaluate_candidate = step(Steps.evaluate_candidate)
judge_candidate = step(Steps.judge_candidate)
register_version = step(Steps.register_version)
promote_version = step(Steps.promote_version)
retire_versions = step(Steps.retire_versions)
choose_rung = step(Steps.choose_rung)
climb = step(Steps.climb)
withdraw_model = step(Steps.withdraw_model)
block_batch = step(Steps.block_batch)
