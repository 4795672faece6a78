"""The folder of a local service: ours alone while we run, and enterable by the user the service runs as."""

import fcntl
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import IO

from worker.errors import ImpossibleSetting
from worker.logs import get_logger

log = get_logger()


class FolderLock:
    """Held by the one process that runs the service of a folder; the kernel lets go of it when that dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises ImpossibleSetting when another process holds it."""
        lock_file = self._path.open("a+")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock_file.seek(0)
            holder = lock_file.read().strip() or "unknown"
            lock_file.close()
            raise ImpossibleSetting(
                f"The folder {self._path.parent} is in use by process {holder}: "
                "stop that one first, or choose another folder."
            ) from error
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        self._file = lock_file

    def is_held(self) -> bool:
        """True while a process holds it."""
        with self._path.open("a+") as lock_file:
            try:
                fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def release(self) -> None:
        """Lets the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None


def ensure_user(name: str) -> None:
    """The system user `name` exists; made with useradd when it does not, which only root can do."""
    import pwd  # noqa: PLC0415 - Unix only, and so is everything that gets here

    try:
        pwd.getpwnam(name)
    except KeyError:
        useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if useradd is None:
            raise ImpossibleSetting(
                f"This runs as root, Postgres refuses to, and there is neither a user {name!r} nor useradd: "
                "run it as an ordinary user, or add that user."
            ) from None
        made = subprocess.run(  # noqa: S603 - a constant name
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            pwd.getpwnam(name)  # another process may have been quicker: only the outcome counts
        except KeyError:
            raise ImpossibleSetting(
                f"This runs as root, Postgres refuses to, and the user {name!r} could not be added "
                f"({made.stderr.strip()}): run it as an ordinary user, or add that user."
            ) from None
        log.info("user.added", user=name)


def ensure_enterable(path: Path) -> None:
    """Every folder above `path` can be entered (not listed) by other users; only root calls this."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            log.warning("folder.opened", folder=str(folder), mode=oct(stat.S_IMODE(mode) | stat.S_IXOTH))
