"""The valid tokens (RFC 6750): those of the configuration, and those of the database as they were a moment ago.

All tokens of the database are held in memory, and read again if a request comes when they are older than two seconds.
So wrong tokens cost Postgres next to nothing, however many come; a revoked token is refused seconds later; and while
Postgres is away, known tokens stay valid.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.decision import Role
from schemas.source import Secret
from worker.api.schema_doubt import SchemaDoubt
from worker.contacts.principal import Principal
from worker.contacts.tokens import TOKEN_MARK, token_digest
from worker.errors import BouncekeeperError, SchemaOutOfDate, StoreUnavailable
from worker.store.pool import Pool
from worker.store.tokens import note_use, valid_tokens

FRESH_SECONDS = 2.0
READ_EVERY_SECONDS = 0.5  # at most, for tokens that are unknown
_WAIT_SECONDS = 1.5  # of a request, for Postgres to answer
_AWAY_SECONDS = 2.0  # Postgres did not answer: so long it is not asked again
_NOTED_EVERY_SECONDS = 60.0
_COLLECTED_SECONDS = 0.5  # one statement notes all tokens that were used in this time
_CLOSING_SECONDS = 2.0
_WRONG_REMEMBERED = 10_000
_WRONG_SECONDS = 10.0  # the database may be another one by then: it was restored
_NEVER = -float("inf")


class KnownTokens:
    """Finds the owners of tokens. Times are seconds of the monotonic clock."""

    def __init__(self, configured: Iterable[Secret], pool: Pool, doubt: SchemaDoubt) -> None:
        # Tokens are found by their digests: nobody can choose that of a guess, so the time tells nothing about others.
        self._configured = {
            token_digest(token.reveal()): Principal(
                token_id=None, name=f"api.tokens {number}", role=Role.ADMINISTRATOR, account=None
            )
            for number, token in enumerate(configured, start=1)
        }
        self._pool = pool
        self._doubt = doubt
        self._stored: dict[bytes, Principal] = {}
        self._stored_at = _NEVER  # the moment at which they were so
        self._asked_at = _NEVER
        self._failed_at = _NEVER
        self._reading: asyncio.Task[None] | None = None
        self._wrong: OrderedDict[bytes, float] = OrderedDict()  # tokens that Postgres did not know, and when
        self._noted_at: dict[int, float] = {}
        self._to_note: set[int] = set()
        self._noting: asyncio.Task[None] | None = None

    async def none_exists(self) -> bool:
        """True if no token is valid; False if this is not certain."""
        if self._configured:
            return False
        await self._read_since(time.monotonic() - FRESH_SECONDS)
        return self._stored_at > _NEVER and not self._stored

    async def find(self, text: str, digest: bytes, *, is_worth_reading: bool) -> Principal | None:
        """The owner of the token; None if it is wrong. A new token is known at once.

        If `is_worth_reading` is False, a token that is not known yet is wrong. Raises StoreUnavailable if only Postgres
        could tell.
        """
        if (principal := self._configured.get(digest)) is not None:
            return principal
        now = time.monotonic()
        if not text.startswith(TOKEN_MARK) or now < self._wrong.get(digest, _NEVER) + _WRONG_SECONDS:
            return None
        await self._read_since(now - FRESH_SECONDS)
        if digest not in self._stored:
            if not is_worth_reading:
                return None
            await self._read_since(now)
        if (principal := self._stored.get(digest)) is not None:
            self._note(principal, now)
            return principal
        if self._stored_at < now:
            raise StoreUnavailable("Postgres does not answer whose token this is")
        self._wrong[digest] = now
        if len(self._wrong) > _WRONG_REMEMBERED:
            self._wrong.popitem(last=False)
        return None

    async def close(self) -> None:
        """Notes the tokens used until now, if Postgres answers in time."""
        if self._reading is not None:
            self._reading.cancel()
        if self._noting is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await asyncio.wait({self._noting})
            self._noting.cancel()

    async def _read_since(self, moment: float) -> None:
        """Reads the stored tokens, unless they were read since this moment. Keeps them if Postgres does not answer."""
        ends_at = time.monotonic() + _WAIT_SECONDS
        while self._stored_at < moment:
            now = time.monotonic()
            if now >= ends_at or now < self._failed_at + _AWAY_SECONDS:
                return
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            # Shared by all requests that wait, and not cancelled with any of them.
            reading = self._reading
            await asyncio.wait({reading}, timeout=ends_at - now)
            if reading.done() and not reading.cancelled():
                reading.result()

    async def _read(self) -> None:
        await asyncio.sleep(self._asked_at + READ_EVERY_SECONDS - time.monotonic())
        self._asked_at = time.monotonic()
        try:
            await self._doubt.settle()
            tokens = await valid_tokens(self._pool)
        except BouncekeeperError as error:  # whatever the request asks for meets the same, and says so
            if isinstance(error, SchemaOutOfDate):
                self._doubt.arise()  # a table that is there again may be empty until its backup is restored
            self._failed_at = time.monotonic()
            return
        self._stored = {
            token.hash: Principal(token_id=token.id, name=token.name, role=Role(token.role), account=token.account)
            for token in tokens
        }
        self._stored_at, self._failed_at = self._asked_at, _NEVER

    def _note(self, principal: Principal, now: float) -> None:
        """Notes the use in the background, once a minute."""
        token_id = principal.token_id
        if token_id is None or now < self._noted_at.get(token_id, _NEVER) + _NOTED_EVERY_SECONDS:
            return
        self._noted_at[token_id] = now
        self._to_note.add(token_id)
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._write_notes())

    async def _write_notes(self) -> None:
        await asyncio.sleep(_COLLECTED_SECONDS)
        used, self._to_note = self._to_note, set()
        with contextlib.suppress(BouncekeeperError):  # on a replica nothing can be noted
            await note_use(self._pool, used, at=datetime.now(UTC))
