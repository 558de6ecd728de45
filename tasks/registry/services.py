"""What every part of a run is handed, in one piece."""

from dataclasses import dataclass

from tasks.environment.settings import Settings
from tasks.journal.journal import Journal
from tasks.registry import downloads
from tasks.registry.mlflow_registry import Registry
from tasks.store.objects import ObjectStore
from tasks.store.opening import open_store
from tasks.store.overlay import Overlay
from tasks.store.read_once import ReadOnce


@dataclass(frozen=True, slots=True)
class Services:
    """Settings, store, journal and registry of a run, built once."""

    settings: Settings
    store: ObjectStore
    frozen: ReadOnce
    """Objects of the store that never change, each read once."""
    journal: Journal
    registry: Registry

    @classmethod
    def open(cls, settings: Settings, store_uri: str = "") -> "Services":
        """The services of these settings, on another store than theirs if one is given.

        No system is reached yet. What a killed run left of model files on this machine is removed.

        Raises:
            SettingsError: the store's URI is neither file:// nor s3://.
        """
        downloads.remove_leftovers(settings)
        return cls.over(open_store(store_uri or settings.store_uri, settings), settings)

    @classmethod
    def rehearsing(cls, settings: Settings) -> "Services":
        """The services of a run that changes nothing: what it writes to its store is forgotten.

        No key file is made for it either. Tables and registry are the real ones: who rehearses
        only reads them.
        """
        store = Overlay(open_store(settings.store_uri, settings))
        return cls.over(store, settings.with_key_at_hand())

    @classmethod
    def over(cls, store: ObjectStore, settings: Settings) -> "Services":
        """The services of these settings over a store that was opened already."""
        frozen = ReadOnce(store)
        journal = Journal(store, frozen, settings.pseudonym_secret)
        return cls(settings, store, frozen, journal, Registry(settings))
