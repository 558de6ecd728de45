"""The object store on a local directory."""

import contextlib
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tasks.foreign_errors import translated
from tasks.store.objects import CHUNK, MAX_KEY, MissingObjectError, ObjectInfo
from unlearning.errors import SettingsError

_SYSTEM = "object store"
_SCRATCH = ".scratch"
_DEEPEST_SCRATCH = 2
_OURS = re.compile("[0-9a-f]{32}")
"""Names in the scratch folder of writes under way; whatever else lies there is an object."""
_STALE_S = 86_400  # no write takes so long: whoever began it is dead
_MAX_NAME = 255
"""Most bytes of a file's name, on every file system in use."""
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
"""Nobody but the user who runs expunge reads what is kept of people."""
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FileStore:
    """Objects are files; creation is a hard link, which the file system makes atomic."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.uri = self.root.as_uri()

    def check(self) -> None:
        """Create the directory if need be, or raise SettingsError; sweep what dead writers left."""
        try:
            _make_folder(self.root / _SCRATCH)
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
                return self._file(key).read_bytes()
            except _ABSENT as error:
                raise MissingObjectError(f"No object {key!r} in {self.uri}.") from error

    def chunks(self, key: str) -> Iterator[bytes]:
        """The file's bytes a piece at a time."""
        with translated(_SYSTEM):
            try:
                with self._file(key).open("rb") as file:
                    yield from iter(lambda: file.read(CHUNK), b"")
            except _ABSENT as error:
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
                if not _fits(key):  # it cannot be looked at, but must not be passed over in silence
                    yield ObjectInfo(key, 0, "")
                    continue
                with contextlib.suppress(FileNotFoundError):  # it went while others were listed
                    info = os.lstat(f"{self.root}/{key}")
                    is_link = stat.S_ISLNK(info.st_mode)
                    if is_link or stat.S_ISREG(info.st_mode):
                        version = f"{info.st_mtime_ns}-{info.st_size}"
                        # The time of change, not that of the content, which anybody may set.
                        at = info.st_ctime
                        yield ObjectInfo(key, info.st_size, version, is_link, at, may_grow=True)

    def _keys(self, prefix: str) -> Iterator[str]:
        parent, _, start = prefix.rpartition("/")
        for folder, below, names in os.walk(self.root / parent):
            at = Path(folder).relative_to(self.root)
            # No other folder is entered: there may be a hundred thousand beside it.
            mine = start if at == Path(parent) else ""
            is_scratch = at.name == _SCRATCH and len(at.parts) <= _DEEPEST_SCRATCH
            found = [n for n in (*below, *names) if n.startswith(mine)]
            found = [n for n in found if not (is_scratch and _OURS.fullmatch(n))]
            entered = {n for n in below if n in found and self._is_entered(at / n)}
            below[:] = entered
            # Nothing below a folder of too long a key can be named: the folder stands for it. So
            # does a link for what it points to, which may be anywhere.
            above = f"{at.as_posix()}/" if at.parts else ""
            yield from (above + name for name in found if name not in entered)

    def _is_entered(self, folder: Path) -> bool:
        return _fits(folder.as_posix()) and not (self.root / folder).is_symlink()

    def delete(self, key: str) -> None:
        """Remove the file."""
        with translated(_SYSTEM), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._path(key).unlink()

    def purge_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:  # noqa: ARG002
        """Nothing: a directory keeps no old versions."""
        return 0

    def count_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:  # noqa: ARG002
        """Nothing: a directory keeps no old versions."""
        return 0

    def _file(self, key: str) -> Path:
        path = self._path(key)
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):  # whoever may write here must not make us read from elsewhere
            raise MissingObjectError(f"{key!r} in {self.uri} is a link; put the file there itself.")
        if not stat.S_ISREG(mode):  # nor wait for a pipe that nobody writes to
            raise MissingObjectError(f"{key!r} in {self.uri} is no file; put one there.")
        return path

    def _path(self, key: str) -> Path:
        parts = Path(key).parts
        if not parts or ".." in parts or Path(key).is_absolute() or "\0" in key:
            raise MissingObjectError("An object key must be relative, without '..' and NUL.")
        if not _fits(key) or any(len(os.fsencode(part)) > _MAX_NAME for part in parts):
            raise MissingObjectError(
                f"An object key must have at most {MAX_KEY} bytes, {_MAX_NAME} between slashes."
            )
        return self.root / key

    def _scratch(self, data: bytes, target: Path) -> Path:
        _make_folder(target.parent)
        # Within the same top folder: a killed write must not leave raw ids outside requests/.
        top = self.root.joinpath(*target.relative_to(self.root).parts[:-1][:1])
        path = top / _SCRATCH / uuid.uuid4().hex
        _make_folder(path.parent)
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(opened, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)  # half an object on a full disk would keep it full
            raise
        return path


def _make_folder(path: Path) -> None:
    """Make the folder and those above it for ourselves alone; one that is there stays as it is."""
    if not path.is_dir():
        for folder in (*reversed(path.parents), path):
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def _fits(key: str) -> bool:
    return len(os.fsencode(key)) <= MAX_KEY
