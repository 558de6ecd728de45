"""A model trained or taken over."""

from tasks.enrolling import enroll, train
from tasks.steps.policy import STEP
from tasks.steps.process import services


@STEP
def pin_source(source: enroll.ModelSource) -> enroll.ModelSource:
    """The source at one table version, for training and enrolment alike."""
    return enroll.pinned(services(), source)


@STEP
def train_version(
    source: enroll.ModelSource, hidden: tuple[int, ...], config: enroll.TrainingConfig
) -> int:
    """A freshly trained version under the serving alias."""
    return train.train_version(services(), source, hidden, config)


@STEP
def adopt_version(source: enroll.ModelSource, version: int | None, trust_pickle: bool) -> str:
    """A registered version enrolled."""
    return enroll.adopt_version(services(), source, version, trust_pickle=trust_pickle).model
