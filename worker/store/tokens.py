"""The tokens with which callers of the API identify themselves. Only hashes of their texts are stored."""

from collections.abc import Collection, Sequence
from datetime import datetime

from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.row import Row


class Token(Row, frozen=True):
    """A token, for people. A revoked one stays here, and is never valid again."""

    id: int
    prefix: str  # the beginning of its text
    name: str
    account: str | None  # None: all accounts
    role: str  # schemas.decision.Role
    created_at: datetime
    created_by: str
    last_used_at: datetime | None  # within a minute or so
    revoked_at: datetime | None
    revoked_by: str | None


class ValidToken(Row, frozen=True):
    """A token for the authentication of requests."""

    id: int
    hash: bytes  # SHA-256
    name: str
    account: str | None
    role: str


_ADD = NamedStatement(f"""
    INSERT INTO tokens (hash, prefix, name, account, role, created_at, created_by)
    VALUES (:hash, :prefix, :name, :account, :role, :at, :by) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING {Token.select_list()}
""")  # noqa: S608 - the column list is made of the names above
_VALID = f"SELECT {ValidToken.select_list()} FROM tokens WHERE revoked_at IS NULL"  # noqa: S608 - as above
_LIST = f"SELECT {Token.select_list()} FROM tokens WHERE $1 OR revoked_at IS NULL ORDER BY name, id"  # noqa: S608 - as above
_REVOKE = f"""
    UPDATE tokens SET revoked_at = $2, revoked_by = $3 WHERE id = ANY ($1::bigint[]) AND revoked_at IS NULL
    RETURNING {Token.select_list()}
"""  # noqa: S608 - as above
_USED = """
    UPDATE tokens SET last_used_at = $2
     WHERE id = ANY ($1::bigint[]) AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '30 seconds')
"""


async def add_token(
    executor: Executor,
    *,
    hash_of_text: bytes,
    prefix: str,
    name: str,
    account: str | None,
    role: str,
    at: datetime,
    by: str,
) -> Token | None:
    """The new token, or None if a valid one has this name. The account exists. Raises StoreUnavailable."""
    with store_errors("adding a token"):
        arguments = _ADD(hash=hash_of_text, prefix=prefix, name=name, account=account, role=role, at=at, by=by)
        rows = Token.rows(await executor.fetch(*arguments))
    return rows[0] if rows else None


async def valid_tokens(executor: Executor) -> list[ValidToken]:
    """All tokens that are not revoked, in no order. Raises StoreUnavailable, SchemaOutOfDate."""
    with store_errors("reading the tokens"):
        return ValidToken.rows(await executor.fetch(_VALID))


async def list_tokens(executor: Executor, *, revoked_too: bool = False) -> list[Token]:
    """The tokens, by name. Raises StoreUnavailable."""
    with store_errors("reading the tokens"):
        return Token.rows(await executor.fetch(_LIST, revoked_too))


async def revoke_tokens(executor: Executor, ids: Sequence[int], *, at: datetime, by: str) -> list[Token]:
    """Revokes the tokens; returns those that were valid until now. Raises StoreUnavailable."""
    with store_errors("revoking tokens"):
        return Token.rows(await executor.fetch(_REVOKE, ids, at, by))


async def note_use(executor: Executor, ids: Collection[int], *, at: datetime) -> None:
    """Stores that these tokens were used. Raises StoreUnavailable."""
    with store_errors("noting that tokens were used"):
        await executor.execute(_USED, list(ids), at)
