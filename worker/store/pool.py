"""Opens connections to Postgres, and translates its errors: some of them mean "later"."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

import asyncpg

from worker.errors import Deadlocked, ImpossibleSetting, MissingRight, SchemaOutOfDate, StoreUnavailable
from worker.store.admission import Rejection
from worker.store.binary_codecs import BINARY_CODECS
from worker.store.servers import open_pool_of_servers

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Session: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"  # a connection that the pool has lent
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Executor: TypeAlias = "Pool | Connection"  # a pool lends a connection for a single statement

# Sessions with staging tables, which are needed to write contacts. Only worker.store.writer_pool makes them.
if TYPE_CHECKING:
    WriterPool = NewType("WriterPool", asyncpg.Pool[asyncpg.Record])
    WriterConnection = NewType("WriterConnection", PoolConnectionProxy[asyncpg.Record])
else:  # neither can be subscripted
    WriterPool = NewType("WriterPool", asyncpg.Pool)
    WriterConnection = NewType("WriterConnection", asyncpg.pool.PoolConnectionProxy)

# Everything that asyncpg raises. Errors that store_errors lets through are mistakes of ours.
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
# Errors of Postgres, or of the way to it, when the work is right and only the moment is wrong.
_LATER = (
    OSError,  # refused, reset, no route, name not found, and TimeoutError
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InterfaceError,  # the connection or the pool was closed under us
    asyncpg.InternalClientError,  # the protocol was cut off in the middle
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, cancelled
    asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full, out of memory
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby: the fail-over is still under way
)
# Subclasses of the above for which waiting does not help: they are our mistakes, and pass through unchanged.
_NEVER = (asyncpg.DataError, asyncpg.exceptions.ClientConfigurationError)
# Errors of a wrong user or password in the URL.
_WRONG_URL = (asyncpg.InvalidAuthorizationSpecificationError,)
# The user's role lacks a right that this version needs.
_NO_RIGHT = (asyncpg.InsufficientPrivilegeError,)
# The database, or a table of it, is missing: somebody restores it, or has yet to migrate it.
_NO_SCHEMA = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
)


async def open_pool(
    dsn: str,
    *,
    connections: int,
    command_timeout_seconds: float,
    idle_connections: int = 1,
    application_name: str = "bouncekeeper",
    server_settings: Mapping[str, str] | None = None,
    prepare: Callable[[Connection], Awaitable[None]] | None = None,
    lend: Callable[[Connection], Coroutine[Any, Any, None]] | None = None,
) -> Pool:
    """A pool of up to `connections` sessions, all in UTC, with jsonb as Python values and bounded waiting.

    If the URL names several hosts, they are sessions of the one that takes writes, also after a failover.

    idle_connections are opened at once; 0 opens none, so that a process can start while Postgres is away.
    server_settings are added to each session and win over the ones set here. `prepare` is called on each once, `lend`
    each time that the pool lends it.
    Raises StoreUnavailable while Postgres cannot be reached, ImpossibleSetting for a wrong URL, and SchemaOutOfDate
    if `prepare` does not find its tables.
    """
    milliseconds = str(int(command_timeout_seconds * 1000))
    settings = {
        "application_name": application_name,
        "timezone": "UTC",
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "jit": "off",  # our statements are short: compiling one costs more than running it
        **(server_settings or {}),
    }

    async def init(connection: Connection) -> None:
        await set_codecs(connection)
        if prepare is not None:
            await prepare(connection)

    with opening_errors():
        pool: Pool = await open_pool_of_servers(
            dsn,
            min_size=min(idle_connections, connections),
            max_size=connections,
            # A little later than the server's own timeout, so that its clearer error comes first.
            command_timeout=command_timeout_seconds + 5,
            timeout=10,
            init=init,
            lend=lend,
            reset=_leave_as_it_is,
            server_settings=settings,
        )
        return pool


async def _leave_as_it_is(_connection: Connection) -> None:
    """What asyncpg does with a session that is given back, beside rolling back what is open.

    By default it sends a statement that resets settings, cursors and locks, which takes as long as asking about a
    contact does. No statement of ours leaves any of these behind: settings are set for a transaction, and a lock that
    outlives one ends with its block (worker.store.acts.claimed_act).
    """


async def set_codecs(connection: Connection) -> None:
    """From here on the connection reads and writes jsonb as plain Python values, and times as aware UTC ones alone."""
    for name, (encoder, decoder) in BINARY_CODECS.items():
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encoder, decoder=decoder, format="binary")


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Raises errors of the moment as StoreUnavailable, a wrong URL as ImpossibleSetting.

    A missing right raises MissingRight, a missing database or table SchemaOutOfDate. `doing` completes the message:
    "reading contacts". All other errors pass through, because they are mistakes of ours.
    """
    try:
        yield
    except _NEVER:
        raise
    except _WRONG_URL as error:
        raise ImpossibleSetting(_wrong_url(doing, error)) from error
    except _NO_RIGHT as error:
        raise MissingRight(_no_right(doing, error)) from error
    except _NO_SCHEMA as error:
        raise SchemaOutOfDate(
            f"the database lacks what is needed for {doing} ({error}): run `bouncekeeper migrate`, or wait until it is"
            " restored"
        ) from error
    except asyncpg.TransactionRollbackError as error:
        raise Deadlocked(f"Postgres rolled a transaction back while {doing} ({error}): it is tried again") from error
    except Rejection as error:  # tells the remedy itself
        raise StoreUnavailable(f"Nothing could be done while {doing}: {error}") from error
    except _LATER as error:
        reason = str(error) or type(error).__name__
        raise StoreUnavailable(
            f"Postgres could not do its part while {doing}: {reason}; see whether Postgres runs and"
            " postgres.url leads to it"
        ) from error


@contextmanager
def opening_errors() -> Iterator[None]:
    """Like store_errors, for the first connection of a process: if the database is missing, the URL is wrong."""
    with store_errors("opening connections"):
        try:
            yield
        except asyncpg.InvalidCatalogNameError as error:
            raise ImpossibleSetting(_wrong_url("opening connections", error)) from error


def _no_right(doing: str, error: asyncpg.PostgresError) -> str:
    """The message if the role of the URL may not do something."""
    return (
        f"Postgres does not let us do our part while {doing}: {error}. Run `bouncekeeper migrate` as the owner of the"
        " tables, which gives each process's role its rights, and see whether postgres.url names a user of the right"
        " role (deploy/postgres-roles.sql)"
    )


def _wrong_url(doing: str, error: asyncpg.PostgresError) -> str:
    return f"Postgres refused us while {doing}: {error}. Check user, password and database name in postgres.url"
