"""Tokens of the API: made with a text that is shown once, and revoked. Each act is a line of the log."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.decision import Role
from worker.process.logs import get_logger
from worker.store.pool import Executor
from worker.store.tokens import Token, add_token, revoke_tokens

_log = get_logger()

TOKEN_MARK = "bk_"  # noqa: S105 - how each begins, so that people and scanners of secrets recognise it
_RANDOM_BYTES = 32
_SHOWN_CHARACTERS = len(TOKEN_MARK) + 6


class NewToken(NamedTuple):
    """A token that was made, and its text, which is known to nobody else."""

    token: Token
    text: str


async def make_token(
    executor: Executor, *, name: str, account: str | None, role: Role, now: datetime, actor: str
) -> NewToken | None:
    """The new token, or None if a valid one has this name already. The account exists. Raises StoreUnavailable."""
    text = TOKEN_MARK + secrets.token_hex(_RANDOM_BYTES)
    token = await add_token(
        executor,
        hash_of_text=token_digest(text),
        prefix=text[:_SHOWN_CHARACTERS],
        name=name,
        account=account,
        role=role,
        at=now,
        by=actor,
    )
    if token is None:
        return None
    _log.info("token.created", token=name, token_id=token.id, account=account, role=role, actor=actor)
    return NewToken(token, text)


async def end_tokens(executor: Executor, ids: Sequence[int], *, now: datetime, actor: str) -> list[Token]:
    """The tokens are revoked when this returns; gives those that were valid until now. Raises StoreUnavailable."""
    revoked = await revoke_tokens(executor, ids, at=now, by=actor)
    for token in revoked:
        _log.info(
            "token.revoked", token=token.name, token_id=token.id, account=token.account, role=token.role, actor=actor
        )
    return revoked


def token_digest(text: str) -> bytes:
    """The digest by which tokens are stored and compared. A token is random, so that no salt is needed."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
