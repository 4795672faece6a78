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

# More than any port of ours wants. Programs that we start inherit the limit, and some reserve memory for each file.
_ENOUGH = 65_536
# For the broker, the database, certificates to fetch, log files, and connections that are just being closed.
_RESERVE = 256


class OpenFiles:
    """The descriptors of this process, of which all its ports together may use all but a reserve."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.for_connections = limit - min(_RESERVE, limit // 4)
        self.crowds: list[Crowd] = []

    @property
    def are_used_up(self) -> bool:
        """True when one more connection would be one too many."""
        return sum(crowd.size for crowd in self.crowds) >= self.for_connections


_open_files: list[OpenFiles] = []


def open_files() -> OpenFiles:
    """The ones of this process. The soft limit is raised to the hard one, at most to 65,536, when first asked for."""
    if not _open_files:
        _open_files.append(OpenFiles(_raised_limit()))
    return _open_files[0]


def _raised_limit() -> int:
    if resource is None:
        return _ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH:
        return _ENOUGH
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS allows less than its hard limit says
        return int(soft)
    return int(wanted)
