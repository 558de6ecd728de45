"""`expunge enroll`: let runs unlearn a model that was trained elsewhere."""

import sys
from dataclasses import asdict, dataclass
from json import dumps
from typing import Annotated, ClassVar

from cyclopts import Parameter

from flows.commands.enrolment_tables import print_check, print_outlook
from flows.commands.options import RARE, EnrollOptions, SourceFlags, flag, options_of
from flows.console import Plain
from tasks.environment.settings import load_settings, prepare_prefect
from tasks.journal.events.enrollment import Loss
from tasks.registry.model_files import Trust
from tasks.registry.services import Services


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EnrollFlags(SourceFlags):
    """Everyday options of `expunge enroll`."""

    version: Annotated[int | None, flag(EnrollOptions, "version")] = None
    loss: Annotated[Loss | None, flag(EnrollOptions, "loss")] = None
    trust_pickle: Annotated[bool | None, flag(EnrollOptions, "trust_pickle")] = None
    trust_code: Annotated[bool | None, flag(EnrollOptions, "trust_code", RARE)] = None
    prepare: Annotated[str | None, flag(EnrollOptions, "prepare", RARE)] = None
    recipe: Annotated[str | None, flag(EnrollOptions, "recipe")] = None
    recipe_python: Annotated[str | None, flag(EnrollOptions, "recipe_python", RARE)] = None
    promote: Annotated[bool, Parameter(negative="")] = False
    "Put the serving alias on the version: the one named, or the newest if none is in service."
    check: Annotated[bool, Parameter(negative="")] = False
    "Only say what enrolment would find, all of it at once; status 2 if it would be refused."
    json: Annotated[bool, Parameter(negative="")] = False
    "Print what --check finds as JSON."

    unsaid: ClassVar[frozenset[str]] = SourceFlags.unsaid | {"promote", "check", "json"}


def enroll(model: str | None = None, *, flags: EnrollFlags | None = None) -> None:
    """Enrol a model that is registered in MLflow, so that runs can unlearn it.

    Not listed here are method, policy, budget, approval, and flags that are rarely needed, such as
    --classes, --subject-kind, --prepare and --recipe-python. The file that --init prints has them
    all, each with its meaning: change it, and name it with --config. What it has above its tables
    may be given as flags, too.

    Parameters
    ----------
    model
        Name of the registered model; may also stand in the file.
    flags
        Everyday options; each goes before what the file says.
    """
    options = options_of(EnrollOptions, "enroll", flags or EnrollFlags(), model)
    if options is None:
        return
    if flags is not None and (flags.check or flags.json):
        _check(options, flags)
        return
    prepare_prefect()
    from flows.train_model import enroll_model

    source, promote = options.enrolled(), flags is not None and flags.promote
    enroll_model(source, options.version, options.trust_pickle, options.trust_code, promote)
    from tasks.enrolling.outlook import enrolled_outlook

    services = Services.open(load_settings())
    print_outlook(Plain(), enrolled_outlook(services, source.model))


def _check(options: EnrollOptions, flags: EnrollFlags) -> None:
    from tasks.enrolling.checking import check_enrolment

    services = Services.rehearsing(load_settings())
    trust = Trust(options.trust_pickle, options.trust_code)
    source = options.enrolled()
    found = check_enrolment(services, source, options.version, trust, promote=flags.promote)
    if flags.json:
        sys.stdout.write(dumps(asdict(found), indent=1) + "\n")
    else:
        typed = [word for word in sys.argv[2:] if word != "--check"]
        print_check(Plain(), found, typed)
    if not found.is_possible:
        sys.exit(2)
