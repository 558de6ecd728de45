"""`expunge trace`: what became of a subject, or what a model version was made to forget."""

import json
import sys
from typing import Annotated

from cyclopts import Parameter

from flows.console import Plain
from tasks.certificates.traces import trace_subject, trace_version
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.subjects.suppression_list import load
from unlearning.policy.subject_kinds import PERSON

Hyphen = Annotated[str | None, Parameter(allow_leading_hyphen=True)]


def trace(
    *,
    subject: Hyphen = None,
    subject_kind: str = PERSON,
    model: str | None = None,
    version: int = 0,
) -> None:
    """Follow a subject through requests and models, or a model version back through erasures.

    Parameters
    ----------
    subject
        Subject id; `-` reads it from standard input, which keeps it out of the shell's history.
    subject_kind
        Kind of subjects that it is one of.
    model
        Registered model name; with --version.
    version
        Version of that model.
    """
    services = Services.open(load_settings())
    services.store.check()
    if subject is not None:
        wanted = sys.stdin.readline().strip() if subject == "-" else subject
        load(services)  # under another key than the list's nobody would be found
        found = trace_subject(services, wanted, subject_kind)
    elif model is not None and version:
        found = trace_version(services, model, version)
    else:
        Plain(stderr=True).print("Name a --subject, or a --model with its --version.")
        sys.exit(2)
    if not found:
        Plain(stderr=True).print("Nothing on record.")
    print(json.dumps(found, indent=1))  # noqa: T201 - the output asked for
