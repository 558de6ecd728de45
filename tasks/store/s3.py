"""The object store on an S3 bucket, through boto3."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.objects import CHUNK, MissingObjectError, ObjectInfo
from unlearning.errors import DataError, SettingsError, TransientError, UnreachableError

# Pinned: the library's defaults for mode and attempts have changed between releases.
CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
)
_REFUSED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_ABSENT = {"NoSuchKey", "404", "InvalidRequest", "InvalidURI", "KeyTooLongError"}
"""Codes that say that nothing is there, or that nothing can have such a key."""
_NO_LOCKS = {
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "NotImplemented",
    "MethodNotAllowed",
}
"""Codes of a bucket, or server, without Object Lock."""
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_PUTS = 3
"""Tries of a conditional PUT while others write or delete the same key."""


class S3Store:
    """Objects below one prefix of one bucket; If-None-Match is the only condition relied on."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        # A session of its own: the library's shared one keeps the first credentials it saw.
        self.client: Any = boto3.Session().client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            config=CONFIG,
        )

    def check(self) -> None:
        """Raise SettingsError unless the bucket exists and can be listed; retried if it is away."""
        try:
            with translated("object store"):
                self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        except (DataError, TransientError) as error:
            kind = UnreachableError if isinstance(error, TransientError) else SettingsError
            raise kind(
                f"{self.uri} cannot be listed ({_code(error)}); create the bucket, or check "
                "EXPUNGE_STORE, EXPUNGE_S3_ENDPOINT_URL and the AWS credentials."
            ) from error

    def get(self, key: str) -> bytes:
        """The object's bytes."""
        with translated("object store"):
            return self._body(key).read()

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes a piece at a time."""
        with translated("object store"):
            yield from self._body(key).iter_chunks(CHUNK)

    def _body(self, key: str) -> Any:
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self._key(key))["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise MissingObjectError(f"No object {key!r} in {self.uri}.") from error
            raise

    def put(self, key: str, data: bytes) -> None:
        """Write the object."""
        with translated("object store"):
            self.client.put_object(Bucket=self.bucket, Key=self._key(key), Body=data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """A conditional PUT; a refusal is settled by reading back.

        If nothing is there to read, S3 refused it for another write that was under way and came to
        nothing, and asks for the PUT again.
        """
        for _ in range(_PUTS):
            with translated("object store"):
                try:
                    self.client.put_object(
                        Bucket=self.bucket, Key=self._key(key), Body=data, IfNoneMatch="*"
                    )
                except ClientError as error:
                    if error.response["Error"]["Code"] not in _REFUSED:
                        raise
                else:
                    return True
            with suppress(MissingObjectError):
                return self.get(key) == data
        raise TransientError(f"{self.uri} is busy with other writes of {key!r}; try again later.")

    def list_objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Current objects below the prefix; the version is the object's ETag and time."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._key(prefix)
        )
        with translated("object store"):
            for page in pages:
                for item in page.get("Contents", []):
                    tag = item["ETag"].strip('"')
                    version = f"{item['LastModified'].isoformat()}-{tag}"
                    key, at = item["Key"][len(self.prefix) :], item["LastModified"].timestamp()
                    yield ObjectInfo(key, item["Size"], version, changed_at=at)

    def delete(self, key: str) -> None:
        """Remove every version and marker of the object."""
        with translated("object store"):
            for item in self.versions(key):
                self._delete_version(item)

    def abort_uploads(self, key: str) -> None:
        """Remove the parts of every unfinished upload of the object."""
        with translated("object store"):
            for item in self.uploads(key):
                self._abort(item)

    def uploads(self, key: str) -> list[dict[str, Any]]:
        """Unfinished uploads of the object, whose parts its bucket keeps and lists nowhere else."""
        with translated("object store"):
            return [one for one in self._uploads(key, ()) if one["Key"] == self._key(key)]

    def versions(self, key: str) -> list[dict[str, Any]]:
        """Every version and marker of the object."""
        with translated("object store"):
            full = self._key(key)
            # SeaweedFS lists versions as XML, which has no way to spell these characters.
            spelled = _NOT_XML.sub("\ufffd", full)
            found = self._versions(full)
            return [{**one, "Key": full} for one in found if one["Key"] in (full, spelled)]

    def locks(self) -> dict[str, Any]:
        """How the bucket locks objects against deletion; empty if it does not."""
        with translated("object store"):
            try:
                found = self.client.get_object_lock_configuration(Bucket=self.bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] in _NO_LOCKS:
                    return {}
                raise
        return found.get("ObjectLockConfiguration", {})

    def is_locked(self, key: str) -> bool:
        """Whether a version of the object is retained, or on a hold of the bucket's own."""
        with translated("object store"):
            return any(self._is_retained(one) for one in self.versions(key) if not one["marker"])

    def _is_retained(self, item: dict[str, Any]) -> bool:
        head = self.client.head_object(
            Bucket=self.bucket, Key=item["Key"], VersionId=item["VersionId"]
        )
        until = head.get("ObjectLockRetainUntilDate")
        is_held = head.get("ObjectLockLegalHoldStatus") == "ON"
        return is_held or (until is not None and until > datetime.now(UTC))

    def purge_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:
        """Remove old versions, markers and parts of unfinished uploads below the prefix."""
        with translated("object store"):
            old, uploads = self._noncurrent(prefix, spared), self._uploads(prefix, spared)
            for item in old:
                self._delete_version(item)
            for item in uploads:
                self._abort(item)
        return len(old) + len(uploads)

    def count_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:
        """How many old versions, markers and unfinished uploads lie below the prefix."""
        with translated("object store"):
            return len(self._noncurrent(prefix, spared)) + len(self._uploads(prefix, spared))

    def _uploads(self, prefix: str, spared: tuple[str, ...]) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=self._key(prefix)
        )
        found = [item for page in pages for item in page.get("Uploads", [])]
        return [item for item in found if not self._is_spared(item, spared)]

    def _noncurrent(self, prefix: str, spared: tuple[str, ...]) -> list[dict[str, Any]]:
        found = self._versions(self._key(prefix))
        old = [item for item in found if item["marker"] or not item["IsLatest"]]
        return [item for item in old if not self._is_spared(item, spared)]

    def _is_spared(self, item: dict[str, Any], spared: tuple[str, ...]) -> bool:
        return item["Key"].removeprefix(self.prefix).startswith(spared)

    def _versions(self, full_prefix: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=full_prefix
        )
        found: list[dict[str, Any]] = []
        for page in pages:
            found += [{**item, "marker": False} for item in page.get("Versions", [])]
            found += [{**item, "marker": True} for item in page.get("DeleteMarkers", [])]
        return found

    def _delete_version(self, item: dict[str, Any]) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=item["Key"], VersionId=item["VersionId"])

    def _abort(self, item: dict[str, Any]) -> None:
        self.client.abort_multipart_upload(
            Bucket=self.bucket, Key=item["Key"], UploadId=item["UploadId"]
        )

    def _key(self, key: str) -> str:
        return self.prefix + key


def _code(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return cause.response["Error"]["Code"]
    return type(cause).__name__
