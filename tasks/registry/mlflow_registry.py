"""MLflow's registry: load a version, register a candidate with its lineage, move an alias."""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from unlearning.errors import (
    ConflictError,
    MissingDataError,
    TransientError,
    UnreachableError,
)

log = logging.getLogger("expunge.registry")

AUDIT_EXPERIMENT = "expunge-audit"
TRAINING_EXPERIMENT = "expunge-training"
EFFECT_TAG = "expunge.effect"
RETIRED_TAG = "expunge.retired"
DIGEST_TAG = "expunge.digest"
DATASET_TAG = "expunge.dataset"
"""Tag with the table that a version learned from; of a registered model, its owner sets it."""
_ANY_STAGE = 3
"""What MLflow calls experiments that are there or were deleted."""
LEFT_OUT_TAG = "expunge.suppression"
"""Tag with the digest of the suppression list whose subjects a training left out."""


class Registry:
    """The registry and tracking server of these settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def client(self) -> Any:
        """The MLflow client, made when it is first asked for."""
        from mlflow import MlflowClient

        if not self.settings.mlflow_tracking_uri:
            self.settings.home.mkdir(parents=True, exist_ok=True)
        uri = self.settings.tracking_uri
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    @property
    def is_begun(self) -> bool:
        """Whether there is a registry to read: the embedded one is made when it is first used."""
        is_embedded = not self.settings.mlflow_tracking_uri
        return not is_embedded or (self.settings.home / "mlflow.db").exists()

    def check_registry(self) -> None:
        """Raise UnreachableError unless MLflow answers.

        The experiment of the audit is there afterwards: what is erased must be told in it.
        """
        try:
            with translated("MLflow"):
                self.client.search_registered_models(max_results=1)
            self.experiment_id(AUDIT_EXPERIMENT)
        except TransientError as error:
            raise UnreachableError(
                f"MLflow at {self.settings.tracking_uri} does not answer; start it or change "
                "EXPUNGE_MLFLOW_TRACKING_URI."
            ) from error

    def places(self) -> list[str]:
        """Where its database lies, if it is a file, and where experiments keep their files."""
        tracking = self.settings.tracking_uri
        path = tracking.removeprefix("sqlite:///")
        found = [tracking, Path(path).resolve().as_uri()] if path != tracking else [tracking]
        if self.is_begun:
            with translated("MLflow"):
                some = self.client.search_experiments(view_type=_ANY_STAGE)
                found += [str(one.artifact_location) for one in some]
                while some.token:
                    some = self.client.search_experiments(_ANY_STAGE, page_token=some.token)
                    found += [str(one.artifact_location) for one in some]
        return [one if "://" in one else Path(one).resolve().as_uri() for one in found]

    def experiment_id(self, name: str) -> str:
        """The experiment of this name, created if need be, and restored if somebody deleted it."""
        with translated("MLflow"):
            found = self.client.get_experiment_by_name(name)
            if found is None:
                return self._create_experiment(name)
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
                log.warning("The experiment %s had been deleted in MLflow; it is restored", name)
            return found.experiment_id

    def _create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return self.client.create_experiment(
                name, artifact_location=self._below_artifacts(name)
            )
        except MlflowException:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return found.experiment_id  # another run was quicker

    def _below_artifacts(self, name: str) -> str | None:
        location = self.settings.artifact_location
        return f"{location}/{name}" if location else None

    def alias_version(self, model: str) -> int | None:
        """The version that the serving alias points to; None when nothing holds it."""
        if not self.is_begun:
            return None
        try:
            with translated("MLflow"):
                aliases = self.client.get_registered_model(model).aliases
        except MissingDataError:  # with the model, its alias is gone
            return None
        version = aliases.get(self.settings.alias)
        return None if version is None else int(version)

    def is_registered(self, model: str) -> bool:
        """Whether MLflow knows a model of this name."""
        if not self.is_begun:
            return False
        with translated("MLflow"):
            return bool(self.client.search_registered_models(f"name = {quoted(model)}"))

    def move_alias(self, model: str, *, parent: int, version: int) -> None:
        """Point the serving alias from `parent` to `version`, and read it back.

        MLflow has no compare-and-set and keeps no history of aliases: a move by somebody else in
        the moment between our look and our move is overwritten, and nobody can tell.

        Raises:
            ConflictError: somebody moved the alias before our look, or after our move.
        """
        current = self.alias_version(model)
        if current not in (parent, version):
            raise ConflictError(
                f"The alias {self.settings.alias!r} of {model} was moved to version {current} "
                f"meanwhile; run again to unlearn from that version."
            )
        with translated("MLflow"):
            self.client.set_registered_model_alias(model, self.settings.alias, str(version))
        after = self.alias_version(model)
        if after != version:
            raise ConflictError(
                f"The alias {self.settings.alias!r} of {model} was set to version {version}, and "
                f"somebody moved it to {after or 'no version'} at once; look who serves what, then "
                "run again."
            )

    def drop_alias(self, model: str) -> None:
        """Take the serving alias away from whichever version holds it."""
        with translated("MLflow"):
            self.client.delete_registered_model_alias(model, self.settings.alias)

    def create_version(self, model: str, source: str, run_id: str, tags: Mapping[str, str]) -> None:
        """Register a logged model; its tags, our effect key among them, come in the same call.

        Its id goes along, because a tracking server refuses a source that it cannot place.
        """
        logged = source.removeprefix("models:/")
        with translated("MLflow"):
            if not self.is_registered(model):
                self.client.create_registered_model(model)
            self.client.create_model_version(
                model, source, run_id=run_id, tags=dict(tags), model_id=logged
            )

    def find_version(self, model: str, effect: str) -> int | None:
        """The version of this effect key; the lowest, should a re-sent call have made two.

        The others are retired with it, as copies.
        """
        with translated("MLflow"):
            found = self.client.search_model_versions(
                f"name = {quoted(model)} and tags.`{EFFECT_TAG}` = '{effect}'"
            )
        return min((int(v.version) for v in found), default=None)

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags on a model version."""
        with translated("MLflow"):
            for name, value in tags.items():
                self.client.set_model_version_tag(model, str(version), name, value)

    def version_tags(self, model: str, version: int) -> dict[str, str]:
        """The tags of a model version."""
        with translated("MLflow"):
            return dict(self.client.get_model_version(model, str(version)).tags)

    def find_run(self, experiment: str, effect: str) -> str | None:
        """The run that carries this effect key."""
        with translated("MLflow"):
            found = self.client.search_runs(
                [self.experiment_id(experiment)],
                f"tags.`{EFFECT_TAG}` = '{effect}'",
                order_by=["attributes.start_time DESC"],
                max_results=1,
            )
        return found[0].info.run_id if found else None

    def ensure_run(self, experiment: str, effect: str, name: str) -> str:
        """The run of this effect key, created with it if need be.

        A lost reply may leave a second, empty one: at least once, and the latest counts.
        """
        found = self.find_run(experiment, effect)
        if found is not None:
            return found
        with translated("MLflow"):
            run = self.client.create_run(
                self.experiment_id(experiment), run_name=name, tags={EFFECT_TAG: effect}
            )
        return run.info.run_id

    def logged_model_id(self, model: str, version: int) -> str | None:
        """The id of the logged model behind a version; None for versions of another making."""
        with translated("MLflow"):
            source = self.client.get_model_version(model, str(version)).source or ""
        name = source.rstrip("/").rpartition("/")[2]
        return name if name.startswith("m-") else None

    def set_alias(self, model: str, version: int) -> None:
        """Point the serving alias to a version, whatever it pointed to before."""
        with translated("MLflow"):
            self.client.set_registered_model_alias(model, self.settings.alias, str(version))


def quoted(name: str) -> str:
    """The name in quotes for a search of MLflow's, which knows no escapes.

    A name with quotes of both kinds cannot be searched for, and MLflow says so.
    """
    return f'"{name}"' if "'" in name else f"'{name}'"
