"""What a run that died left below requests/ before its batch was on record.

A file is copied, then its batch is fixed, and only then is that on record. Who dies in between
leaves a copy that no batch will ever take up, if the sender changes the file or the key is rotated
before the next run: that one finds another file, and makes another batch.
"""

from tasks.intake import inbox
from tasks.intake.freezing import manifest_key
from tasks.intake.kept_rows import CLAIMS, FILES
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services
from tasks.store import lease


def left_of_none(services: Services) -> list[str]:
    """Keys of copies and manifests that belong to no batch on record, in order.

    Cost: three listings, and a look at each batch of which files are kept.
    """
    kept = inbox.batches_with_files(services)
    begun = [b for b in kept if services.journal.read(batch_stream(b))]
    copies = {info.key.removeprefix(FILES) for info in services.store.list_objects(FILES)}
    if copies:
        found = services.store.list_objects(CLAIMS)
        copies -= {info.key.removeprefix(CLAIMS).removesuffix(".json") for info in found}
    for batch in begun if copies else ():
        copies -= {file.file_id for file in inbox.read_manifest(services, batch).files}
    manifests = [manifest_key(batch) for batch in kept if batch not in begun]
    return sorted([*manifests, *(f"{FILES}{file_id}" for file_id in copies)])


def drop(services: Services) -> int:
    """Delete all of it; returns how many objects. The senders' files stay, and are read anew.

    Raises:
        ConflictError: another run took over, whose batch may be about to begin.
    """
    found = left_of_none(services)
    for key in found:
        lease.check(services.store)
        services.store.delete(key)
    return len(found)
