"""An act begins once: a repeated request with the same idempotency key continues the act that the first one began."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from worker.contacts.principal import Principal
from worker.errors import RequestRefused
from worker.store.acts import Act, StoredAct, find_act, insert_act
from worker.store.durability import secure_what_was_read
from worker.store.pool import Connection, WriterPool
from worker.store.writer_pool import writing

_encoder = msgspec.json.Encoder(order="deterministic")


async def known_act(pool: WriterPool, principal: Principal, key: str | None, request_hash: bytes) -> StoredAct | None:
    """The act that the principal began with this key; None if there is no such act.

    Raises RequestRefused if the key was used for another request, and StoreUnavailable.
    """
    if key is None:
        return None
    act = await find_act(pool, token_id=principal.token_id, actor=principal.name, idempotency_key=key)
    if act is not None and act.request_hash != request_hash:
        raise RequestRefused(
            "idempotency-key-reused",
            f"The idempotency key {key[:40]!r} was used before, for another request.",
            remedy="Send the request that it was used for, or choose a new key.",
        )
    if act is not None:  # perhaps all is done, and what is answered now was written by a call that was cut off
        await secure_what_was_read(pool)
    return act


async def begin_act(pool: WriterPool, act: Act, principal: Principal, request_hash: bytes) -> tuple[StoredAct, bool]:
    """The act, and whether somebody else began it meanwhile. Raises what `known_act` raises."""
    async with writing(pool, "recording an act") as connection:
        act_id = await insert_act(connection, act)
    if act_id is not None:
        return StoredAct(id=act_id, finished_at=None, **{name: getattr(act, name) for name in Act.columns()}), False
    known = await known_act(pool, principal, act.idempotency_key, request_hash)
    if known is None:
        raise AssertionError("an act is refused only for the one that has its idempotency key")
    return known, True


def act_of(
    principal: Principal,
    *,
    account: str,
    what: str,
    idempotency_key: str | None,
    request_hash: bytes | None,
    note: str | None,
    at: datetime,
    subject: str | None = None,
) -> Act:
    """The act of a call or a command, before it is stored. `subject` says what was done if the act has no decisions."""
    return Act(
        account=account,
        token_id=principal.token_id,
        token_name=None if what == "command" else principal.name,
        actor=principal.name,
        role=principal.role.value,
        what=what,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        note=note,
        proof=None,
        subject=subject,
        at=at,
    )


async def store_act(connection: Connection, act: Act) -> int:
    """The id of an act without an idempotency key, which is always a new one."""
    act_id = await insert_act(connection, act)
    if act_id is None:
        raise AssertionError("an act is refused only for the one that has its idempotency key")
    return act_id


def hash_of_request(request: Any, addresses: Iterable[str], profiles: Mapping[str, Struct] | None = None) -> bytes:
    """Equal for the same request about the same addresses (normalised) in any order, and different otherwise.

    `profiles` are the details of single addresses.
    """
    digest = hashlib.sha256(_encoder.encode(request))
    for address in sorted(addresses):
        digest.update(b"\n" + address.encode("utf-8", "surrogatepass"))
        if profiles and (profile := profiles.get(address)) is not None:
            digest.update(_encoder.encode(profile))
    return digest.digest()
