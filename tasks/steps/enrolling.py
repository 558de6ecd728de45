"""A model trained or enrolled."""

from tasks.enrolling import enroll, train, widening
from tasks.enrolling.source import ModelSource, pinned
from tasks.steps.policy import STEP
from tasks.steps.process import services
from unlearning.config.training_config import TrainingConfig


@STEP
def pin_source(source: ModelSource) -> ModelSource:
    """The source at one table version, for training and enrolment alike."""
    widening.refuse_unnamed(services(), source)  # before hours of training
    return pinned(services(), source)


@STEP
def train_version(source: ModelSource, hidden: tuple[int, ...], config: TrainingConfig) -> int:
    """A freshly trained version under the serving alias."""
    return train.train_version(services(), source, hidden, config)


@STEP
def enroll_version(
    source: ModelSource,
    version: int | None,
    trust_pickle: bool,
    trust_code: bool = False,
    promote: bool = False,
) -> str:
    """A registered version enrolled."""
    enrolled = enroll.enroll_version(
        services(),
        source,
        version,
        trust_pickle=trust_pickle,
        trust_code=trust_code,
        promote=promote,
    )
    return enrolled.model
