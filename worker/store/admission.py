"""Whether Postgres has let this process in before: then a rejection is a change at the server, and may pass.

Operators reload a wrong pg_hba.conf, lock a user for a while, or change a password before the processes know it. That
is an outage for whoever works, and no reason to end. A process that was never let in has a wrong setting.
"""

import time

import asyncpg

from worker.process.logs import Reminder, get_logger
from worker.process.postgres_url import place_of

_log = get_logger()

# Wrong passwords sent without a pause get users locked out, by Postgres' proxies or by what reads its log.
PAUSE_SECONDS = 5.0
REJECTIONS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # pg_hba.conf, NOLOGIN, no such user; a wrong password
    asyncpg.InsufficientPrivilegeError,  # no CONNECT on the database, or the role of the session may not be taken
)


class Rejected(ConnectionError):  # noqa: N818 - named after what happened
    """Postgres rejects a process that it has let in before: it is asked again later."""


class Admission:
    """What became of the attempts of this process to open sessions of one URL."""

    def __init__(self, dsn: str) -> None:
        self._place = place_of(dsn)
        self._was_let_in = False
        self._ask_again_at = 0.0
        self._rejection = ""
        self._reminder = Reminder()

    def let_in(self) -> None:
        """Notes that a session was opened."""
        self._was_let_in = True
        self._reminder.over()

    def require_pause(self) -> None:
        """Raises Rejected while the last rejection is so fresh that the server is not asked again."""
        if time.monotonic() < self._ask_again_at:
            raise Rejected(self._rejection)

    def tell(self, error: asyncpg.PostgresError) -> None:
        """Logs the rejection and raises Rejected; does nothing if Postgres has never let us in."""
        if not self._was_let_in:
            return
        answer = " ".join(str(error).split()).rstrip(".")  # with its details on one line
        self._rejection = (
            f"Postgres at {self._place} rejects us, and let us in before: {answer}. If pg_hba.conf or the rights of the"
            " user were changed by mistake, change them back; if the password is another one, write it to postgres.url"
            " and start this process again"
        )
        self._ask_again_at = time.monotonic() + PAUSE_SECONDS
        if self._reminder.due(str(error)):
            _log.error("postgres.rejected", reason=self._rejection)
        raise Rejected(self._rejection) from error


_admissions: dict[str, Admission] = {}  # for the length of the process, whichever pool asks


def admission_of(dsn: str) -> Admission:
    """The one of this URL."""
    return _admissions.setdefault(dsn, Admission(dsn))
