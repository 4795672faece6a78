"""Tells Postgres errors that pass by themselves from those for which a person must act."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from worker.errors import ImpossibleSetting, MissingRight, QueueUnavailable, SchemaOutOfDate
from worker.process.postgres_url import place_of
from worker.store.admission import Rejection

CONNECT_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 15.0

_WRONG_URL = (asyncpg.InvalidAuthorizationSpecificationError,)
_WRONG_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)


@contextmanager
def queue_errors(dsn: str) -> Iterator[None]:
    """Turns asyncpg's errors into QueueUnavailable, SchemaOutOfDate, ImpossibleSetting or MissingRight."""
    try:
        yield
    except _WRONG_SCHEMA as error:
        raise SchemaOutOfDate(
            f"The database {place_of(dsn)} has no table parked_deliveries of this version ({error}): run "
            "`bouncekeeper migrate`."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise SchemaOutOfDate(
            f"There is no database {place_of(dsn)} ({error}): correct postgres.url, or wait until it is restored."
        ) from error
    except (*_WRONG_URL, asyncpg.InsufficientPrivilegeError) as error:
        kind = MissingRight if isinstance(error, asyncpg.InsufficientPrivilegeError) else ImpossibleSetting
        raise kind(
            f"Postgres at {place_of(dsn)} refuses us ({error}): check user, password and database of postgres.url. If "
            "a right is missing, run `bouncekeeper migrate` as the owner of the tables, and see whether the user has "
            "the role of this process (deploy/postgres-roles.sql)."
        ) from error
    except Rejection as error:  # tells the remedy itself
        raise QueueUnavailable(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise QueueUnavailable(f"The queue in Postgres at {place_of(dsn)} is away: {error!r}") from error
