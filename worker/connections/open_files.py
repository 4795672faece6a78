"""How many files this process may have open, and how many of them may be connections."""

from typing import TYPE_CHECKING

from worker.process.logs import get_logger

if TYPE_CHECKING:
    from worker.connections.crowd import Crowd

try:
    import resource
except ImportError:  # not on every system
    resource = None  # type: ignore[assignment]

log = get_logger()

# More than any port needs. Programs that we start inherit the limit, and some reserve memory for each file.
_ENOUGH = 65_536
# For the broker, the database, fetched certificates, log files, and connections that are being closed.
_RESERVE = 256


class OpenFiles:
    """The open files of this process. All its ports together may use them except for a reserve."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.for_connections = limit - min(_RESERVE, limit // 4)
        self.crowds: list[Crowd] = []

    @property
    def are_used_up(self) -> bool:
        """True if one more connection would be too many."""
        return sum(crowd.size for crowd in self.crowds) >= self.for_connections


_open_files: list[OpenFiles] = []


def open_files() -> OpenFiles:
    """The open files of this process. The first call raises the soft limit to the hard one, at most to 65,536."""
    if not _open_files:
        _open_files.append(OpenFiles(_raised_limit()))
    return _open_files[0]


def _raised_limit() -> int:
    if resource is None:
        return _ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH:
        return _ENOUGH
    raised = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (ValueError, OSError):  # macOS allows less than its hard limit
        return int(soft)
    return int(raised)
