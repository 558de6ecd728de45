"""Ids of events outside attempts: deterministic, so that a second run makes nothing twice."""

from unlearning.policy.digests import SHORT, bytes_digest

FROZEN = "frozen"
VALIDATED = "validated"
SUPPRESSED = "suppressed"
SEARCH_CLOSED = "search-closed"
CLOSED = "closed"
REDUCED = "requests-reduced"
QUARANTINE_EMPTIED = "quarantine-emptied"
SETTLED_BY_PERSON = "settled-by-person"


def intent(effect: str) -> str:
    """An effect is about to be made."""
    return f"{effect}/intent"


def _in_table(what: str, uri: str, number: int) -> str:
    key = f"{what}/{bytes_digest(uri.encode())[:SHORT]}"
    return key if number == 1 else f"{key}/{number}"


def erased(uri: str, number: int = 1) -> str:
    """Rows deleted from a table, in the `number`th round."""
    return _in_table("erased", uri, number)


def purged_files(uri: str, number: int = 1) -> str:
    """Files of a table removed, in the `number`th round."""
    return _in_table("purged", uri, number)


def erased_objects(prefix: str, number: int) -> str:
    """Objects below a prefix deleted, in the `number`th round."""
    return _in_table("objects", prefix, number)


def gone(uri: str) -> str:
    """A table is no more."""
    return _in_table("gone", uri, 1)


def resolved(number: int) -> str:
    """The `number`th search."""
    return "resolved" if number == 1 else f"resolved/{number}"


def withheld(number: int) -> str:
    """Requests taken out of a batch, as its `number`th event."""
    return f"withheld/{number}"


def sent_ahead(number: int) -> str:
    """Requests that left a batch for one of their own, as its `number`th event."""
    return f"sent-ahead/{number}"


def near_matches(number: int) -> str:
    """Ids of nearly the same spelling looked for, as a batch's `number`th event."""
    return f"near-matches/{number}"


def asked(number: int) -> str:
    """The batch's `number`th question to people."""
    return f"approval/{number}/requested"


def retracted(number: int) -> str:
    """That question taken back."""
    return f"approval/{number}/retracted"


def approved(number: int) -> str:
    """That question answered with yes."""
    return f"approval/{number}/approved"


def rejected(number: int) -> str:
    """That question answered with no."""
    return f"approval/{number}/rejected"


def requests_told(answer: str) -> str:
    """The answer of this id carried over to the requests."""
    return f"{answer}/told"


def superseded(by: str) -> str:
    """Another batch took over."""
    return f"superseded/{by}"


def halted(number: int) -> str:
    """The batch's `number`th event: it stands still, or it moves again."""
    return f"halted/{number}"


def untouched(model: str, version: int, dataset_version: int) -> str:
    """The model, as it stands on this snapshot, has nothing to forget."""
    return f"{model}/untouched/{version}/{dataset_version}"


def forgotten_earlier(model: str, attempt: str) -> str:
    """An earlier attempt made the model forget."""
    return f"{model}/forgotten-earlier/{attempt}"


def out_of_service(model: str) -> str:
    """The model was out of service before."""
    return f"{model}/out-of-service"


def earlier_versions(model: str) -> str:
    """The model's earlier versions as certificates state them."""
    return f"{model}/earlier-versions"


def examples(uri: str, number: int) -> str:
    """Input examples compared with a table's rows, before the `number`th round."""
    return _in_table("examples", uri, number)


def other_versions(model: str) -> str:
    """Versions that expunge does not look after as certificates state them."""
    return f"{model}/other-versions"


def strangers(uri: str) -> str:
    """Models that nobody enrolled and that name a table, as certificates state them."""
    return _in_table("strangers", uri, 1)


def disposition(batch: str) -> str:
    """A batch judged the request."""
    return f"{batch}/disposition"


def certified(batch: str) -> str:
    """A batch answered the request."""
    return f"{batch}/certified"


def hold_too_late(batch: str) -> str:
    """A hold came too late for the request."""
    return f"{batch}/hold-too-late"


def return_decided(number: int) -> str:
    """The request's `number`th event decides about rows that its subject came back with."""
    return f"return-decided/{number}"


def in_request(batch: str, event_id: str) -> str:
    """An event of a batch, told in the stream of one of its requests."""
    return f"{batch}/{event_id}"


def enrolled(number: int) -> str:
    """The model's `number`th event is an enrolment."""
    return f"enrolled/{number}"


def unenrolled(number: int) -> str:
    """The model's `number`th event takes it out."""
    return f"unenrolled/{number}"


def restored(number: int) -> str:
    """The model's `number`th event points it to a restored table."""
    return f"restored/{number}"


def advanced(batch: str, uri: str, number: int) -> str:
    """A batch pointed the model to a table without its rows, in this round."""
    return f"{batch}/{_in_table('advanced', uri, number)}"


def deletion_mark(batch: str, uri: str) -> str:
    """How a batch's commits to a table are recognised."""
    return f"{batch}/{erased(uri)}"


def settled(batch: str) -> str:
    """Every row that the batch made the model forget is gone."""
    return f"{batch}/settled"


def former_rows_erased(batch: str, uri: str) -> str:
    """A batch erased rows that earlier weights of the model learned."""
    return f"{batch}/{_in_table('former', uri, 1)}"


def snapshot_lost(number: int) -> str:
    """The model's `number`th event says that its snapshot is lost."""
    return f"snapshot-lost/{number}"


def table_closed(number: int) -> str:
    """The model's `number`th event closes a table."""
    return f"table-closed/{number}"


def holdout_erased(batch: str) -> str:
    """A batch erased rows from the model's holdout table."""
    return f"{batch}/holdout-erased"


def references(key: str) -> str:
    """Reference models were stored under this key."""
    return f"references/{key}"


def ledger(key: str) -> str:
    """A ledger was stored under this key."""
    return f"ledger/{key}"


def alias_change(number: int, found: int | None, floor: int | None) -> str:
    """The `number`th time that we moved the alias, but for a promotion by a batch."""
    return f"alias/{number}/{found}/{floor}"


def retired(version: int) -> str:
    """A version was retired."""
    return f"retired/{version}"


def purged_version(version: int) -> str:
    """A version was purged."""
    return f"purged/{version}"


def examined(model: str, version: int, source: str, number: int) -> str:
    """Files of a version of any model were listed or read, as the `number`th event of its stream.

    They may become what they were before.
    """
    place = bytes_digest(f"{model}/{version}/{source}".encode())[:SHORT]
    return f"examined/{place}/{number}"
