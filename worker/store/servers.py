"""Opens sessions of Postgres, at whichever of the URL's hosts takes writes.

A URL may name several hosts: a primary and its standbys. asyncpg tries them in order, and a host that is gone without
a word, such as a machine without power, takes all the time there is. So each host gets its share of the time here, and
the host that was found last is tried first.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from worker.errors import ImpossibleSetting
from worker.process.postgres_url import host_urls, place_of
from worker.store.admission import REJECTIONS, Admission, admission_of

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Session: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_LEAST_SECONDS = 0.1  # of an attempt, however long it waited for its turn
_EXPIRE_SECONDS = 1.0  # a pool that finds no other server opens its sessions no more often than this

# Answers of one host while another one takes writes.
_NEXT_HOST = (
    OSError,  # refused, reset, no route, name not found, and TimeoutError
    asyncpg.InsufficientResourcesError,  # all its sessions are taken
    asyncpg.OperatorInterventionError,  # starting up, or shutting down
    asyncpg.PostgresConnectionError,  # went away while it answered
    asyncpg.TargetServerAttributeNotMatched,  # a standby
)
# ALLOW_CONNECTIONS false, as while somebody restores it.
_CLOSED = asyncpg.ObjectNotInPrerequisiteStateError
# The URL's query names settings of the session, and the server does not take one of them.
_WRONG_PARAMETER = (
    asyncpg.CantChangeRuntimeParamError,  # only the server's own configuration may set it
    asyncpg.UndefinedObjectError,  # there is none of this name
    asyncpg.InvalidParameterValueError,
)
# A former primary is often fenced by pg_hba.conf or NOLOGIN. If every host answers so, the user of the URL is wrong.
_REFUSED = asyncpg.InvalidAuthorizationSpecificationError
# Ends the search, as every other answer does: repeating a wrong password at each host could lock the user out.
_WRONG_PASSWORD = asyncpg.InvalidPasswordError


class _RejectionBesideOthersError(ConnectionError):
    """No host can be used, and some of them reject us."""


class Servers:
    """The hosts of one URL. For the length of a process, so that the one that was found is remembered."""

    def __init__(self) -> None:
        self._found = ""  # the URL with that host alone
        self._one_at_a_time = asyncio.Lock()

    async def connect(
        self,
        dsn: str,
        *,
        timeout: float,  # noqa: ASYNC109 - a pool of asyncpg calls it so
        **options: Any,
    ) -> "asyncpg.Connection[asyncpg.Record]":
        """As asyncpg.connect. `timeout`, in seconds, is shared by the hosts.

        A host that takes no writes is left for another one that does, whatever `target_session_attrs` asks for. If
        none does, it is used for reading, unless the URL asks for `read-write`.
        If no host can be used, raises ConnectionError with what each said; what the first one said if each refuses the
        user of the URL; for a URL with a single host, what it said. If one rejects a process that was let in before,
        raises Rejection. Raises ImpossibleSetting if the URL's query sets what cannot be set.
        """
        admission = admission_of(dsn)
        ends_at = time.monotonic() + timeout
        async with AsyncExitStack() as turn:
            if not admission.lasts:  # many at once would send a wrong password many times
                async with asyncio.timeout(timeout):
                    await turn.enter_async_context(self._one_at_a_time)
                if admission.lasts:  # another session was opened meanwhile
                    await turn.aclose()
            left_seconds = max(ends_at - time.monotonic(), _LEAST_SECONDS)
            return await self._attempt(admission, dsn, timeout=left_seconds, **options)

    async def _attempt(
        self,
        admission: Admission,
        dsn: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        **options: Any,
    ) -> "asyncpg.Connection[asyncpg.Record]":
        admission.require_pause()
        try:
            connection = await self._search(dsn, timeout=timeout, **options)
        except REJECTIONS as error:
            admission.reject(error)
            raise
        except _RejectionBesideOthersError as error:
            # No wrong password was sent, so a process that was never let in need not pause: it waits for the failover.
            if admission.was_let_in:
                admission.reject(error)
            raise
        except _WRONG_PARAMETER as error:
            raise ImpossibleSetting(
                f"Postgres at {place_of(dsn)} does not take a setting of our sessions ({error}): correct it, or take it"
                " out of the query of postgres.url, which is behind the question mark"
            ) from error
        admission.let_in()
        return connection

    async def _search(
        self,
        dsn: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        **options: Any,
    ) -> "asyncpg.Connection[asyncpg.Record]":
        urls = host_urls(dsn)
        if len(urls) == 1:
            return await _connect_to_only(dsn, timeout=timeout, **options)
        errors: dict[str, Exception] = {}
        readable: asyncpg.Connection[asyncpg.Record] | None = None
        try:
            for url in sorted(urls, key=lambda url: url != self._found):
                try:
                    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                        url, timeout=timeout / len(urls), **options
                    )
                except _WRONG_PASSWORD:
                    raise
                except (_REFUSED, _CLOSED, *_NEXT_HOST) as error:
                    if isinstance(error, _CLOSED) and not _is_closed(error):
                        raise
                    errors[place_of(url)] = error
                    continue
                if not takes_no_writes(connection):
                    self._found = url
                    return connection
                if readable is None:
                    readable = connection
                else:
                    connection.terminate()
            if readable is None:
                raise _no_host(errors)
            connection, readable = readable, None
            return connection
        finally:
            if readable is not None:
                readable.terminate()


async def _connect_to_only(dsn: str, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        only: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn, **options)
    except _CLOSED as error:
        if not _is_closed(error):
            raise
        raise ConnectionError(str(error)) from error
    return only


async def connect(dsn: str, *, timeout: float, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":  # noqa: ASYNC109 - as above
    """A single session. Raises as Servers.connect does."""
    return await Servers().connect(dsn, timeout=timeout, **options)


def open_pool_of_servers(
    dsn: str, *, lend: Callable[[Session], Awaitable[None]] | None = None, **options: Any
) -> "asyncpg.Pool[asyncpg.Record]":
    """As asyncpg.create_pool, with sessions of the host that takes writes; `lend` is its `setup`.

    If the server of the sessions takes no writes (any more), they are closed after use and opened anew, so that they
    find the one that does.
    """
    expired_at = -math.inf

    async def setup(connection: Session) -> None:
        nonlocal expired_at
        if takes_no_writes(connection) and time.monotonic() - expired_at > _EXPIRE_SECONDS:
            expired_at = time.monotonic()
            await pool.expire_connections()
        if lend is not None:
            await lend(connection)

    pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(  # type: ignore[call-overload]  # whose options are not spelled out
        dsn, connect=Servers().connect, setup=setup, **options
    )
    return pool


def takes_no_writes(connection: "asyncpg.Connection[asyncpg.Record] | Session") -> bool:
    """True for a session of a standby, or of a server that was made read-only, as far as its last answer told.

    Asks nothing: Postgres 14 and newer reports both with its answers.
    """
    settings = connection.get_settings()
    return "on" in (getattr(settings, name, None) for name in ("in_hot_standby", "default_transaction_read_only"))


def _no_host(errors: Mapping[str, Exception]) -> Exception:
    """The error if no host can be used. `errors` has the one of each, by its place."""
    first, *others = errors.values()
    if all(isinstance(error, _REFUSED) for error in (first, *others)):
        return first
    kind = (
        _RejectionBesideOthersError
        if any(isinstance(error, _REFUSED) for error in errors.values())
        else ConnectionError
    )
    return kind("; ".join(f"{place}: {_answer(error)}" for place, error in errors.items()))


def _is_closed(error: asyncpg.PostgresError) -> bool:
    """False for subclasses, which say something else."""
    return bool(error.sqlstate == _CLOSED.sqlstate)


def _answer(error: Exception) -> str:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "takes no writes (a standby)"
    return str(error) or type(error).__name__
