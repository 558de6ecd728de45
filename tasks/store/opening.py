"""The store at an address, whatever kind it is of."""

from urllib.parse import unquote, urlsplit

from tasks.environment.settings import Settings
from tasks.store.objects import ObjectStore
from unlearning.errors import SettingsError


def open_store(uri: str, settings: Settings) -> ObjectStore:
    """The store at `uri`, reached with these settings.

    Raises:
        SettingsError: the URI is neither file:// nor s3://.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        from tasks.store.files import FileStore

        return FileStore(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        from tasks.store.s3 import S3Store

        return S3Store(parts.netloc, unquote(parts.path).strip("/"), settings)
    raise SettingsError(
        f"EXPUNGE_STORE must be file:///directory or s3://bucket/prefix, not {uri!r}."
    )
