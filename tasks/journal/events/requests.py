"""What happens to one deletion request. No fact holds a subject's id, only keyed pseudonyms."""

from dataclasses import dataclass, replace

from unlearning.policy.deletion import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What was decided about a request, and in which batch."""

    disposition: Disposition
    batch: str

    @property
    def request_id(self) -> str:
        """The sender's number of the request."""
        return self.disposition.request_id

    @property
    def subject(self) -> str:
        """Keyed pseudonym of the subject; empty when the row named none."""
        return self.disposition.subject

    @property
    def reason(self) -> str:
        """Why, in words for the sender."""
        return self.disposition.reason

    @property
    def certificate(self) -> str:
        """Where its certificate lies: there is none yet."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAccepted(_Told):
    """It is valid and waits for its rows to be unlearned and erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQuarantined(_Told):
    """Its row or file is unusable and is kept for the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDuplicated(_Told):
    """It repeats a request that is on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeld(_Told):
    """A legal hold names its subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUnclear(_Told):
    """Its id is nearly that of rows which it does not name: a person says who is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled(_Told):
    """What a person decided about an unclear request."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettled(_Settled):
    """A person said that it means exactly its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWithdrawn(_Settled):
    """A person said that it means another id than it names, or reinstated its subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReleased(_Told):
    """It came into a further batch: a hold was lifted, a person settled it, or a batch failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBlocked(_Told):
    """A model failed the gate, or somebody rejected its batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUnblocked(_Told):
    """Somebody approved its batch after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTooLate(_Told):
    """A legal hold came when no table held a row of its subject any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """A request that was answered by a certificate."""

    batch: str
    request_id: str
    subject: str
    reason: str
    certificate: str
    certificate_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestErased(_Answered):
    """Its rows are gone from the tables that could be reached; the reason says what else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectNotFound(_Answered):
    """No searched table held a row under exactly its subject's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectUncertain(_Answered):
    """Not every table or model could be searched, or no table with its rows could be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDecided(_Answered):
    """Its subject was back with new rows, and somebody decided about them."""

    name: str
    decision: str
    """`reinstate`: they may be learned again; `erase`: they were asked for again."""


Told = (
    RequestAccepted
    | RequestQuarantined
    | RequestDuplicated
    | RequestHeld
    | RequestUnclear
    | RequestSettled
    | RequestWithdrawn
    | RequestReleased
    | RequestBlocked
    | RequestUnblocked
    | HoldTooLate
)
Answered = RequestErased | SubjectNotFound | SubjectUncertain | ReturnDecided
RequestFact = Told | Answered


def told_because(disposition: Disposition, reason: str) -> Disposition:
    """The disposition with another reason for the sender."""
    return replace(disposition, reason=reason)
