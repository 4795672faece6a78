"""What each route needs, as data next to it."""

from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import web
from msgspec import Struct

from schemas.decision import Role


class AccountScope(StrEnum):
    """Which accounts an answer is about."""

    NONE = "none"  # nothing: it is the same for everybody
    NAMED = "named"  # it is about the account that the request names: see worker.api.asked_account
    OWN = "own"  # it holds what is of the token's account alone
    NAMED_OR_OWN = "named_or_own"  # NAMED if the request names one, else OWN


class Route(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    role: Role | None  # the least role that may ask; None: anybody, without a token
    account: AccountScope
