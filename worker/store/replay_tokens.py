"""One-time tokens and what each was used for, for all processes and all sources together.

A token names its vendor, and sources of one vendor may share a key: a token that one of them has seen is used up for
all.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

from worker.store.pool import Connection
from worker.store.row import Row


class UsedToken(Struct, frozen=True, kw_only=True, gc=False):
    """The use of a token by one delivery."""

    token: str
    fingerprint: str
    expires_at: datetime

    @property
    def key(self) -> bytes:
        """The hash of the token, which is all that is stored."""
        return blake2b(self.token.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Claim(Row, frozen=True):
    token_hash: bytes
    fingerprint: str
    expires_at: datetime


# Only the first use counts, in any batch. In the order of the key, so that two batches never wait for each other in a
# circle. The column `source` is empty: a token is used up for all of them.
_CLAIM = f"""
    INSERT INTO replay_tokens AS t (source, token_hash, fingerprint, expires_at)
    SELECT DISTINCT ON (n.token_hash) '', n.token_hash, n.fingerprint, n.expires_at
      FROM {_Claim.unnest("n", with_place=True)}
     ORDER BY n.token_hash, n.place
    ON CONFLICT (source, token_hash) DO UPDATE SET fingerprint = t.fingerprint
    RETURNING token_hash, fingerprint
"""  # noqa: S608 - the column list is made of the names above


async def claim_tokens(connection: Connection, tokens: Sequence[UsedToken]) -> list[bool]:
    """For each token, in order: True if this use is the first one, or equal to the first one."""
    claims = [
        _Claim(token_hash=token.key, fingerprint=token.fingerprint, expires_at=token.expires_at) for token in tokens
    ]
    records = await connection.fetch(_CLAIM, *_Claim.arrays(claims))
    first = {record["token_hash"]: record["fingerprint"] for record in records}
    return [first[claim.token_hash] == claim.fingerprint for claim in claims]


async def forget_expired_tokens(connection: Connection, now: datetime) -> None:
    """Deletes tokens that their vendor's age limit refuses anyway."""
    await connection.execute("DELETE FROM replay_tokens WHERE expires_at < $1", now)
