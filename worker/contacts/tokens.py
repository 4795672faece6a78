"""Tokens of the API: created with a text that is shown once, and revoked. Each act is logged."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.decision import Role
from worker.contacts.acts import record_act
from worker.process.logs import get_logger
from worker.store.pool import Pool
from worker.store.sessions import transaction
from worker.store.tokens import Token, add_token, revoke_tokens

_log = get_logger()

TOKEN_MARK = "bk_"  # noqa: S105 - how each begins, so that people and scanners of secrets recognise it
_RANDOM_BYTES = 32
_SHOWN_CHARACTERS = len(TOKEN_MARK) + 6


class NewToken(NamedTuple):
    """A new token and its text, which nobody else knows."""

    token: Token
    text: str


async def make_token(
    pool: Pool, *, name: str, account: str | None, role: Role, now: datetime, actor: str
) -> NewToken | None:
    """The new token, or None if a valid one has this name already. The account exists. Raises StoreUnavailable."""
    text = TOKEN_MARK + secrets.token_hex(_RANDOM_BYTES)
    async with transaction(pool, "making a token") as connection:
        token = await add_token(
            connection,
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
        subject = f"tokens create {name} (id {token.id}, {role})"
        act_id = await record_act(connection, subject, actor=actor, now=now, account=account)
    _log.info("token.created", token=name, token_id=token.id, account=account, role=role, actor=actor, act_id=act_id)
    return NewToken(token, text)


async def end_tokens(pool: Pool, ids: Sequence[int], *, now: datetime, actor: str) -> list[Token]:
    """Revokes the tokens; returns those that were valid until now. Raises StoreUnavailable."""
    async with transaction(pool, "revoking tokens") as connection:
        revoked = await revoke_tokens(connection, ids, at=now, by=actor)
        acts = [
            await record_act(
                connection,
                f"tokens revoke {token.name} (id {token.id})",
                actor=actor,
                now=now,
                account=token.account,
            )
            for token in revoked
        ]
    for token, act_id in zip(revoked, acts, strict=True):
        _log.info(
            "token.revoked",
            token=token.name,
            token_id=token.id,
            account=token.account,
            role=token.role,
            actor=actor,
            act_id=act_id,
        )
    return revoked


def token_digest(text: str) -> bytes:
    """The digest by which tokens are stored and compared. A token is random, so that no salt is needed."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
