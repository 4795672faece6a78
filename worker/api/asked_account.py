"""The account that a request asks about. The request is refused if its token may not ask about it.

To a token of one account, every other account seems not to exist: the answer and its timing are the same.
"""

from aiohttp import web

from worker.api.request_edge import ASKED_ACCOUNT, LINE, PRINCIPAL
from worker.contacts.accounts import KnownAccounts
from worker.errors import RequestRefused
from worker.store.pool import Pool

ACCOUNTS: web.AppKey[KnownAccounts] = web.AppKey("accounts")

_DEFAULT = "default"
_MOST_CHARACTERS = 200


async def asked_account(request: web.Request, pool: Pool, named: str | None) -> str:
    """The account that the request names; the token's own if it names none, or `default` for a token of all accounts.

    Raises RequestRefused if there is no such account for this token, StoreUnavailable.
    """
    own = request[PRINCIPAL].account
    account = (own or _DEFAULT) if named is None else named
    if not account or len(account) > _MOST_CHARACTERS or "\x00" in account:
        raise RequestRefused(
            "bad-parameter",
            "The account is empty, too long, or holds a NUL character.",
            remedy="Name an account, or leave it out for the token's own, or `default` if it is for all accounts.",
        )
    request[LINE].update(account=account)
    await request.app[ACCOUNTS].require(pool, account, only=own)
    request[ASKED_ACCOUNT] = account
    return account
