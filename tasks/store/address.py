"""One place, one address: in how many ways it may be written, and how it is written here."""

from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from unlearning.errors import SettingsError


def canonical(uri: str) -> str:
    """The one spelling of an address; nothing outside is asked, so a link stays one.

    No slash at the end or twice in a row, `s3` for `s3a` and `s3n`, odd characters encoded as in a
    URI. An address of another form stays as it is.

    >>> canonical("s3a://lake//my%20table/")
    's3://lake/my%20table'
    """
    parts = urlsplit(uri, allow_fragments=False)
    path = unquote(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    below = "/".join(part for part in path.split("/") if part not in ("", "."))
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return PurePosixPath(f"/{below}").as_uri()
    if parts.scheme in ("s3", "s3a", "s3n") and parts.netloc:
        return f"s3://{parts.netloc}/{quote(below)}".rstrip("/")
    return uri


def address_of(place: str) -> str:
    """The address of a place that a person names by a path or a URI; links in it are followed."""
    if "://" not in place and not place.startswith("file:"):
        return Path(place).resolve().as_uri()
    uri = canonical(place)
    if not uri.startswith("file://"):
        return uri
    return Path(unquote(urlsplit(uri).path)).resolve().as_uri()


def column_below(text: str) -> tuple[str, str]:
    """A column and the address below which its objects lie, of what a person wrote.

    >>> column_below("photo=s3://lake/people/")
    ('photo', 's3://lake/people')

    Raises:
        SettingsError: it names no column and address, or the top of a disk or bucket.
    """
    column, _, place = text.partition("=")
    prefix = address_of(place) if place else ""
    if not column or not prefix.startswith(("s3://", "file:///")) or is_top(prefix):
        raise SettingsError(
            f"objects is {text!r}; name a column and what its objects lie below, as in "
            "photo=s3://lake/people."
        )
    return column, prefix


def is_top(uri: str) -> bool:
    """Whether it is a whole disk or bucket.

    >>> is_top("s3://lake/"), is_top("s3://lake/people")
    (True, False)
    """
    return not urlsplit(canonical(uri)).path.strip("/")


def own_folder(name: str) -> str:
    """A folder below a table as keys begin with it, with one slash at its end.

    Raises:
        SettingsError: it is the table itself, its log, or no folder below it.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    is_below = parts and ".." not in parts and "://" not in name and not name.startswith("/")
    if not is_below or parts[0] == "_delta_log":
        raise SettingsError(
            f"tolerate is {name!r}; name a folder below the table, as in _symlink_format_manifest."
        )
    return "/".join(parts) + "/"
