"""Pause a flow run until a person answers for a batch, or for as long as the settings allow."""

from typing import Literal

from prefect import State
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.states import Running
from pydantic import Field

from tasks import steps
from tasks.environment.settings import load_settings

_MOST_SECONDS_BETWEEN_LOOKS = 10


class Answer(RunInput):
    """What Prefect's form asks for when the run is resumed."""

    name: str = Field(pattern=r"\S", description="Who decides")
    decision: Literal["approve", "reject"]
    reason: str = Field("", description="Needed for a rejection")


def is_asking() -> bool:
    """Whether runs pause for an answer at all."""
    return load_settings().approval_wait_seconds > 0


def ask_people(batch: str) -> list[State]:
    """Pause the flow run that calls this, and record the answer, if one comes, as a terminal does.

    Only a flow may call it: Prefect does not pause in a task.
    """
    seconds = load_settings().approval_wait_seconds
    form = Answer.with_initial_data(description=steps.describe_question(batch))
    try:
        answer = pause_flow_run(
            wait_for_input=form,
            timeout=seconds,
            poll_interval=min(_MOST_SECONDS_BETWEEN_LOOKS, max(1, seconds // 10)),
        )
    except FlowPauseTimeout:
        _go_on()
        return []
    return [
        steps.record_answer(batch, answer.decision, answer.name, answer.reason, return_state=True)
    ]


def _go_on() -> None:
    """Make the run a running one again: Prefect fails a run that leaves a pause too late."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(context.flow_run.id, Running(), force=True)
