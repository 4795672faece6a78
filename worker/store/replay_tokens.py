"""One-time tokens and what each was used for, known to all processes."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

from worker.store.pool import Connection


class UsedToken(Struct, frozen=True, kw_only=True, gc=False):
    """A token as one delivery uses it."""

    source: str
    token: str
    fingerprint: str
    expires_at: datetime

    @property
    def key(self) -> tuple[str, bytes]:
        """The primary key."""
        return self.source, blake2b(self.token.encode("utf-8", "surrogatepass"), digest_size=16).digest()


# The first use is the one that counts, whoever brings it; in the order of the key, so that two batches never wait
# for each other in a circle.
_CLAIM = """
    INSERT INTO replay_tokens AS t (source, token_hash, fingerprint, expires_at)
    SELECT DISTINCT ON (n.source, n.token_hash) n.source, n.token_hash, n.fingerprint, n.expires_at
      FROM unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
        AS n (source, token_hash, fingerprint, expires_at, place)
     ORDER BY n.source, n.token_hash, n.place
    ON CONFLICT (source, token_hash) DO UPDATE SET fingerprint = t.fingerprint
    RETURNING source, token_hash, fingerprint
"""


async def claim_tokens(connection: Connection, tokens: Sequence[UsedToken]) -> list[bool]:
    """For each token, in order, whether this use of it is the first one or the same as the first one."""
    keys = [token.key for token in tokens]
    records = await connection.fetch(
        _CLAIM,
        [source for source, _ in keys],
        [token_hash for _, token_hash in keys],
        [token.fingerprint for token in tokens],
        [token.expires_at for token in tokens],
    )
    first = {(source, token_hash): fingerprint for source, token_hash, fingerprint in records}
    return [first[key] == token.fingerprint for key, token in zip(keys, tokens, strict=True)]


async def forget_expired_tokens(connection: Connection, now: datetime) -> None:
    """Tokens that their vendor's age limit refuses anyway are not needed any more."""
    await connection.execute("DELETE FROM replay_tokens WHERE expires_at < $1", now)
