"""The object store on a local directory."""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tasks.boundary import translated
from tasks.object_store import CHUNK, MissingObjectError, ObjectInfo
from unlearning.errors import SettingsError

_SYSTEM = "object store"
_SCRATCH = ".scratch"
_STALE_S = 86_400  # no write takes so long: whoever began it is dead


class FileStore:
    """Objects are files; creation is a hard link, which the file system makes atomic."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.uri = self.root.as_uri()

    def check(self) -> None:
        """Create the directory if need be, or raise SettingsError; sweep what dead writers left."""
        try:
            (self.root / _SCRATCH).mkdir(parents=True, exist_ok=True)
            for path in self.root.glob(f"*/{_SCRATCH}/*"):
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
        except FileNotFoundError:
            pass  # another process swept, or ended its write
        except OSError as error:
            raise SettingsError(
                f"The store directory {self.root} cannot be written ({error.strerror}); "
                "set EXPUNGE_STORE to one that can."
            ) from error

    def get(self, key: str) -> bytes:
        """The file's bytes."""
        with translated(_SYSTEM):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise MissingObjectError(f"No object {key!r} in {self.uri}.") from error

    def chunks(self, key: str) -> Iterator[bytes]:
        """The file's bytes a piece at a time."""
        with translated(_SYSTEM):
            try:
                with self._path(key).open("rb") as file:
                    yield from iter(lambda: file.read(CHUNK), b"")
            except (FileNotFoundError, IsADirectoryError) as error:
                raise MissingObjectError(f"No object {key!r} in {self.uri}.") from error

    def put(self, key: str, data: bytes) -> None:
        """Replace the file in one rename, so that a reader never sees half of it."""
        with translated(_SYSTEM):
            path = self._path(key)
            self._scratch(data, path).replace(path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the file, or compare with the one that is there."""
        with translated(_SYSTEM):
            path = self._path(key)
            scratch = self._scratch(data, path)
            try:
                os.link(scratch, path)
            except FileExistsError:
                return path.read_bytes() == data
            finally:
                scratch.unlink()
        return True

    def list_objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Files below the prefix's directory, in key order."""
        with translated(_SYSTEM):
            for key in sorted(self._keys(prefix)):
                path = self.root / key
                if path.is_file():
                    info = path.stat()
                    yield ObjectInfo(key, info.st_size, f"{info.st_mtime_ns}-{info.st_size}")

    def _keys(self, prefix: str) -> Iterator[str]:
        parent, _, start = prefix.rpartition("/")
        for folder, below, names in os.walk(self.root / parent):
            at = Path(folder).relative_to(self.root)
            # No other folder is entered: there may be a hundred thousand beside it.
            mine = start if at == Path(parent) else ""
            below[:] = [name for name in below if name.startswith(mine) and name != _SCRATCH]
            yield from ((at / name).as_posix() for name in names if name.startswith(mine))

    def delete(self, key: str) -> None:
        """Remove the file."""
        with translated(_SYSTEM):
            self._path(key).unlink(missing_ok=True)

    def purge_noncurrent(self, prefix: str) -> int:  # noqa: ARG002 - a directory keeps no versions
        """Nothing: a directory keeps no old versions."""
        return 0

    def count_noncurrent(self, prefix: str) -> int:  # noqa: ARG002 - a directory keeps no versions
        """Nothing: a directory keeps no old versions."""
        return 0

    def _path(self, key: str) -> Path:
        path = self.root / key
        if not key or ".." in Path(key).parts or Path(key).is_absolute():
            raise MissingObjectError("An object key must be relative and must not contain '..'.")
        return path

    def _scratch(self, data: bytes, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Within the same top folder: a killed write must not leave raw ids outside requests/.
        top = self.root.joinpath(*target.relative_to(self.root).parts[:-1][:1])
        path = top / _SCRATCH / uuid.uuid4().hex
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)  # half an object on a full disk would keep it full
            raise
        return path
