"""Whether Postgres has let this process in before: then a rejection is a change at the server, and may pass.

Operators reload a wrong pg_hba.conf, lock a user for a while, or change a password before the processes know it. That
is an outage for whoever works, and no reason to end. A process that was never let in has a wrong setting.
"""

import copy
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


class Rejection(ConnectionError):  # noqa: N818 - named after what is the case, as the errors of worker.errors
    """Postgres rejects a process that it has let in before: it is asked again later."""


class Admission:
    """What became of the attempts of this process to open sessions of one URL."""

    def __init__(self, dsn: str) -> None:
        self._place = place_of(dsn)
        self._was_let_in = False
        self._rejected_with: Exception | None = None
        self._ask_again_at = 0.0
        self._reminder = Reminder()

    @property
    def was_let_in(self) -> bool:
        """True if a session was opened before."""
        return self._was_let_in

    @property
    def lasts(self) -> bool:
        """True if the last attempt with an answer was let in: any number of sessions may be opened at once."""
        return self._was_let_in and self._rejected_with is None

    def let_in(self) -> None:
        """Notes that a session was opened."""
        self._was_let_in, self._rejected_with = True, None
        self._reminder.over()

    def require_pause(self) -> None:
        """Raises the last rejection while it is so fresh that the server is not asked again."""
        if self._rejected_with is not None and time.monotonic() < self._ask_again_at:
            raise copy.copy(self._rejected_with)  # one of its own for each caller, with its own traceback

    def reject(self, error: Exception) -> None:
        """Notes that Postgres has answered so. If it let us in before, logs that and raises Rejection."""
        self._ask_again_at = time.monotonic() + PAUSE_SECONDS
        if not self._was_let_in:
            self._rejected_with = error
            return
        answer = " ".join(str(error).split()).rstrip(".")  # with its details on one line
        rejection = Rejection(
            f"Postgres at {self._place} rejects us, and let us in before: {answer}. If pg_hba.conf or the rights of the"
            " user were changed by mistake, change them back; if the password is another one, write it to postgres.url"
            " and start this process again"
        )
        self._rejected_with = rejection
        if self._reminder.due(str(error)):
            _log.error("postgres.rejected", reason=str(rejection))
        raise rejection from error


_admissions: dict[str, Admission] = {}  # for the length of the process, whichever pool asks


def admission_of(dsn: str) -> Admission:
    """The one of this URL."""
    return _admissions.setdefault(dsn, Admission(dsn))
