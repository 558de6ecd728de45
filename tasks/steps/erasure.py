"""The batch's rows out of the tables, and the certificates about it."""

from tasks.pipeline import Steps
from tasks.steps.policy import step

suppress_subjects = step(Steps.suppress_subjects)
tables_to_erase = step(Steps.tables_to_erase)
erase_rows = step(Steps.erase_rows)
erase_objects = step(Steps.erase_objects)
purge_files = step(Steps.purge_files)
advance_models = step(Steps.advance_models)
drop_ledgers = step(Steps.drop_ledgers)
drop_references = step(Steps.drop_references)
certify_requests = step(Steps.certify_requests)
mirror_audit = step(Steps.mirror_audit)
close_batch = step(Steps.close_batch)
