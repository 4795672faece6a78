"""One-time tokens and what each was used for, known to all processes and good for all sources together.

A token names its vendor, and sources of one vendor may share a key: what one of them has seen is used up for all.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

from worker.store.pool import Connection
from worker.store.row import Row


class UsedToken(Struct, frozen=True, kw_only=True, gc=False):
    """A token as one delivery uses it."""

    token: str
    fingerprint: str
    expires_at: datetime

    @property
    def key(self) -> bytes:
        """What is kept of the token."""
        return blake2b(self.token.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Claim(Row, frozen=True):
    token_hash: bytes
    fingerprint: str
    expires_at: datetime


# The first use is the one that counts, whoever brings it; in the order of the key, so that two batches never wait
# for each other in a circle. The column `source` is empty: a token is used up for all of them.
_CLAIM = f"""
    INSERT INTO replay_tokens AS t (source, token_hash, fingerprint, expires_at)
    SELECT DISTINCT ON (n.token_hash) '', n.token_hash, n.fingerprint, n.expires_at
      FROM {_Claim.unnest("n", with_place=True)}
     ORDER BY n.token_hash, n.place
    ON CONFLICT (source, token_hash) DO UPDATE SET fingerprint = t.fingerprint
    RETURNING token_hash, fingerprint
"""  # noqa: S608 - the column list is made of the names above


async def claim_tokens(connection: Connection, tokens: Sequence[UsedToken]) -> list[bool]:
    """For each token, in order, whether this use of it is the first one or the same as the first one."""
    claims = [
        _Claim(token_hash=token.key, fingerprint=token.fingerprint, expires_at=token.expires_at) for token in tokens
    ]
    records = await connection.fetch(_CLAIM, *_Claim.arrays(claims))
    first = {record["token_hash"]: record["fingerprint"] for record in records}
    return [first[claim.token_hash] == claim.fingerprint for claim in claims]


async def forget_expired_tokens(connection: Connection, now: datetime) -> None:
    """Tokens that their vendor's age limit refuses anyway are not needed any more."""
    await connection.execute("DELETE FROM replay_tokens WHERE expires_at < $1", now)
