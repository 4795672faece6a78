"""Of an account that nobody has named nothing is known: asking about it is a mistake, and never answered with yes."""

from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Kind
from tests.api.conftest import Store
from tests.schemas.feedback_events import make_event
from worker.contacts.accounts import KnownAccounts
from worker.errors import RequestRefused
from worker.store.pool import Pool


async def ask(client: ClientSession, route: str, account: str) -> tuple[int, dict[str, Any]]:
    if route == "check":
        asked = client.post("/v1/check", json={"addresses": ["jane@example.org"], "account": account})
    else:
        asked = client.get(f"/v1/contacts/jane@example.org{route}", params={"account": account})
    async with asked as response:
        answer: dict[str, Any] = await response.json()
        return response.status, answer


@pytest.mark.parametrize("route", ["check", "", "/explanation"])
async def test_a_misspelt_account_is_refused_and_told_what_was_meant(client: ClientSession, route: str) -> None:
    for account, remedy in (
        ("shop_eu", "Did you mean 'shop-eu'?"),
        ("Default", "Did you mean 'default'?"),
        ("zzz", "Known are 'default', 'shop-eu', 'warehouse'."),
    ):
        status, problem = await ask(client, route, account)
        assert (status, problem["type"]) == (422, "urn:bouncekeeper:problem:unknown-account")
        assert account in problem["detail"]
        assert problem["remedy"].startswith(remedy)


@pytest.mark.parametrize("account", ["default", "shop-eu", "warehouse", "customer-", "customer-77"])
async def test_an_account_that_the_configuration_names_is_known_before_its_first_contact(
    client: ClientSession, account: str
) -> None:
    assert (await ask(client, "check", account))[0] == 200
    status, problem = await ask(client, "", account)
    assert (status, problem["type"]) == (404, "urn:bouncekeeper:problem:unknown-contact")


@pytest.mark.parametrize("account", ["ware", "warehouses", "my-customer-7", "customer"])
async def test_a_pattern_names_what_begins_so_and_a_name_itself_alone(client: ClientSession, account: str) -> None:
    assert (await ask(client, "check", account))[0] == 422


async def test_an_account_is_known_once_it_is_made(client: ClientSession, store: Store) -> None:
    assert (await ask(client, "check", "tenant-7"))[0] == 422
    await store([make_event(Kind.DELIVERED, account="tenant-7", address="joe@example.org")])
    assert (await ask(client, "check", "tenant-7"))[0] == 200
    status, problem = await ask(client, "check", "tenant-8")
    assert (status, problem["remedy"].partition("?")[0]) == (422, "Did you mean 'tenant-7'")


async def test_a_known_account_costs_no_look_up(pool: Pool, store: Store) -> None:
    await store([make_event(Kind.DELIVERED, account="tenant-7")])
    known = KnownAccounts(of_sources=("default",), of_settings=("customer-*",))
    await known.require(pool, "tenant-7")
    await pool.close()
    for account in ("default", "customer-7", "tenant-7"):
        await known.require(pool, account)


async def test_where_no_source_is_of_the_default_account_leaving_it_out_is_a_mistake(pool: Pool) -> None:
    known = KnownAccounts(of_sources=("shop-eu", "shop-us"), of_settings=())
    with pytest.raises(RequestRefused, match=r"no account 'default'\. Known are 'shop-eu', 'shop-us'"):
        await known.require(pool, "default")


async def test_of_many_accounts_a_few_are_named(pool: Pool) -> None:
    known = KnownAccounts(of_sources=[f"tenant-{number:03}" for number in range(50)], of_settings=())
    with pytest.raises(RequestRefused) as caught:
        await known.require(pool, "zzz")
    assert "'tenant-009' and others" in caught.value.remedy
    assert "tenant-010" not in caught.value.remedy
