"""Dictionaries for compressing vendors' own bytes, trained on what our sample senders write, addresses masked."""

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import zstandard

from schemas.envelope import Envelope, new_delivery_id
from schemas.vocabulary import Cause, Kind
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent, SampleSender
from worker.samples.vendor import MakeBelieveVendor
from worker.store.dictionaries import MOST_DICTIONARY_BYTES, Dictionary, dictionary_versions, insert_dictionaries
from worker.store.pool import Pool
from worker.store.sessions import transaction

# Raise it when the samples have changed so much that new dictionaries are worth it; the former ones stay.
DICTIONARY_VERSION = 1

_ROUNDS = 16  # of the mix below
_MIX: Sequence[tuple[Kind, Cause]] = (
    (Kind.DELIVERED, Cause.NONE),
    (Kind.OPENED, Cause.NONE),
    (Kind.CLICKED, Cause.NONE),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.DEFERRED, Cause.GREYLISTED),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.BLOCKED, Cause.CONTENT),
    (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
)
_ADDRESS = re.compile(rb"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+(@|%40|=40)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


async def store_dictionaries(pool: Pool) -> None:
    """Each provider has a dictionary of this version. Takes a second the first time. Raises StoreUnavailable."""
    there = await dictionary_versions(pool)
    missing = [provider for provider in SAMPLE_SENDERS if (provider, DICTIONARY_VERSION) not in there]
    if missing:
        trained = [train_dictionary(provider) for provider in missing]
        async with transaction(pool, "storing dictionaries") as connection:
            await insert_dictionaries(connection, trained)


def train_dictionary(provider: str, *, seed: int = 1) -> Dictionary:
    """A dictionary of what this provider's events look like. The same seed gives events of the same addresses."""
    payloads: list[bytes | bytearray | memoryview] = [
        mask_addresses(raw, addresses) for raw, addresses in sample_payloads(provider, seed=seed)
    ]
    trained = zstandard.train_dictionary(MOST_DICTIONARY_BYTES, payloads)
    return Dictionary(provider=provider, version=DICTIONARY_VERSION, content=trained.as_bytes())


def sample_payloads(provider: str, *, seed: int) -> Iterator[tuple[bytes, Sequence[str]]]:
    """What a sample sender's events look like as they are stored, each with the addresses that may be in it."""
    sender = SAMPLE_SENDERS[provider]()
    source = sender.source("main")
    bound = PROVIDERS[provider].bind(source)
    now = datetime.now(UTC)
    for number, event in enumerate(_events(sender, random.Random(seed), now)):  # noqa: S311 - nothing secret
        for request in sender.requests([event], now=now):
            envelope = Envelope(
                delivery_id=new_delivery_id(),
                source=source.name,
                provider=provider,
                account=source.account,
                received_at=now + timedelta(seconds=number),
                content_type=request.headers.get("content-type", ""),
                headers=dict(request.headers),
                body=request.body,
            )
            for parsed in bound.parse(envelope):
                yield parsed.raw, [event.address]


def mask_addresses(raw: bytes, addresses: Sequence[str]) -> bytes:
    """The payload with the addresses, and whatever else looks like one, replaced by as many `x`."""
    for address in addresses:
        for part in (address, *address.split("@")):
            for spelling in {part, quote(part), quote_plus(part)}:
                raw = raw.replace(spelling.encode(), b"x" * len(spelling))
    return _ADDRESS.sub(lambda found: b"x" * len(found[0]), raw)


def _events(sender: SampleSender, chance: random.Random, now: datetime) -> Iterator[SampleEvent]:
    for _ in range(_ROUNDS):
        for kind, cause in _MIX:
            address = f"{chance.getrandbits(48):012x}@{chance.getrandbits(40):010x}.example"
            if isinstance(sender, MakeBelieveVendor) and sender.sample_address:
                address = sender.sample_address
            yield SampleEvent(
                address=address,
                kind=kind,
                cause=cause,
                occurred_at=now - timedelta(seconds=chance.randrange(86_400)),
                message_id=f"{chance.getrandbits(64):016x}.{chance.randrange(10_000)}",
            )
