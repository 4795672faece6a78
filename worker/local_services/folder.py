"""The folder of a local service: locked while we run, and accessible to the service's user."""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from worker.errors import ImpossibleSetting
from worker.process.logs import get_logger

log = get_logger()

_REMEDIES = {
    errno.EACCES: "let this user write to it, or run this as its owner",
    errno.EPERM: "let this user write to it, or run this as its owner",
    errno.EROFS: "mount it writable",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.ENOTDIR: "move away the file that is in place of the folder",
    errno.EEXIST: "move away the file that is in place of the folder",
    errno.EISDIR: "move away the folder that is in place of a file",
    errno.EIO: "see the system's log about this disk",
}
_ATTEMPTS, _PAUSE_SECONDS = 5, 0.05


@contextlib.contextmanager
def told_as_mistakes(folder: Path) -> Iterator[None]:
    """Turns an OSError in the block into an ImpossibleSetting with the folder and the remedy."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise ImpossibleSetting(folder_mistake(folder, error)) from error


def folder_mistake(folder: Path, error: OSError) -> str:
    """The message about an error in a data folder, with the remedy."""
    file = f" because of {error.filename}" if error.filename and str(error.filename) != str(folder) else ""
    return (
        f"the data folder {folder} cannot be used{file} ({error.strerror or error}): "
        f"{remedy_of(error) or 'see what is wrong with it'}, or choose another folder with --data-directory"
    )


def remedy_of(error: OSError) -> str:
    """The remedy for an error about a file or folder; "" for any other error."""
    return _REMEDIES.get(error.errno or 0, "")


class FolderLock:
    """Held by the process that runs the service of a folder. The kernel releases it when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises ImpossibleSetting if another process holds it, OSError if the folder cannot be written to."""
        lock_file = self._path.open("a+")
        if not _lock(lock_file):
            lock_file.seek(0)
            holder = lock_file.read().strip() or "unknown"
            lock_file.close()
            raise ImpossibleSetting(
                f"The folder {self._path.parent} is in use by process {holder}: "
                "stop that process first, or choose another folder."
            )
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        self._file = lock_file

    def is_held(self) -> bool:
        """True while a process holds it. Raises OSError if the lock exists but cannot be read."""
        try:
            with self._path.open("rb") as lock_file:
                fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def release(self) -> None:
        """Releases the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[str]) -> bool:
    """False if another process holds it. Tries several times, because is_held holds it for a moment."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def ensure_user(name: str) -> None:
    """Adds the system user `name` with useradd if it does not exist. Only root can do this."""
    import pwd  # noqa: PLC0415 - Unix only, like everything that comes here

    try:
        pwd.getpwnam(name)
    except KeyError:
        useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if useradd is None:
            raise ImpossibleSetting(
                f"This runs as root, which Postgres refuses, and there is neither a user {name!r} nor useradd: "
                "run it as an ordinary user, or add that user."
            ) from None
        made = subprocess.run(  # noqa: S603 - a constant name
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # Ctrl-C reaches only this process, and useradd can finish
        )
        try:
            pwd.getpwnam(name)  # another process may have added it: only the result counts
        except KeyError:
            raise ImpossibleSetting(
                f"This runs as root, which Postgres refuses, and the user {name!r} could not be added "
                f"({made.stderr.strip()}): run it as an ordinary user, or add that user."
            ) from None
        log.info("user.added", user=name)


def ensure_enterable(path: Path) -> None:
    """Lets other users enter (not list) every folder above `path`. Only root calls this."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            log.warning("folder.opened", folder=str(folder), mode=oct(stat.S_IMODE(mode) | stat.S_IXOTH))
