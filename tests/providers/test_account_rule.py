"""Events that tell whose mail they are about are put under that account."""

import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from tests.schemas.feedback_events import make_event
from worker.providers.account_rule import MAX_ACCOUNT_CHARACTERS, check_account_rule, with_own_account

PATHS = {"subaccount": "msg.subaccount", "sending_domain": "msg.sender"}


def event(**fields: Any) -> FeedbackEvent:
    return msgspec.structs.replace(make_event(Kind.DELIVERED), account="own", **fields)


def account(rule: str, **fields: Any) -> str:
    return with_own_account(event(**fields), rule, PATHS).account


def raw(**values: Any) -> bytes:
    return json.dumps({"msg": values}).encode()


def test_a_variable_of_the_senders_names_the_account() -> None:
    assert account("metadata.customer", metadata={"customer": "shop-7"}) == "shop-7"
    assert account("metadata.customer", metadata={"customer": 7}) == "7"


def test_the_rest_of_a_tag_names_the_account() -> None:
    assert account("tag.customer-", tags=("spring", "customer-7", "customer-8")) == "7"


def test_the_vendors_own_division_names_the_account() -> None:
    assert account("subaccount", raw=raw(subaccount="cust-1")) == "cust-1"


@pytest.mark.parametrize("sender", ["News <news@Shop.Example>", "news@shop.example", "shop.example"])
def test_the_sending_domain_names_the_account(sender: str) -> None:
    assert account("sending_domain", raw=raw(sender=sender)) == "shop.example"


def test_any_place_in_the_vendors_json_or_form_names_the_account() -> None:
    assert account("raw.msg.tenants[0].id", raw=raw(tenants=[{"id": 12}])) == "12"
    assert account("raw.tenant", raw=b"tenant=a%20shop&other=1") == "a shop"
    assert account("raw.tenant", raw=b"tenant=another&tenant=shop") == "shop"


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("metadata.customer", {"metadata": None}),
        ("metadata.customer", {"metadata": {"customer": ["a"]}}),
        ("metadata.customer", {"metadata": {"customer": " "}}),
        ("tag.customer-", {"tags": ("spring",)}),
        ("tag.customer-", {"tags": ("customer-",)}),
        ("subaccount", {"raw": b"\xff\xfe"}),
        ("raw.tenant", {"raw": b"tenant=another&tenant="}),  # as the provider reads it, of two the last
        ("raw.tenant", {"raw": b"tenant=shop" + b"&" * 1_000}),
        ("raw.length(msg)", {"raw": b'{"msg": 3}'}),
        ("raw.ceil(to_number(msg))", {"raw": b'{"msg": "' + b"9" * 5_000 + b'"}'}),
        ("raw.msg", {"raw": b'{"msg": true}'}),
    ],
)
def test_an_event_that_does_not_tell_keeps_the_account_of_its_source(rule: str, fields: dict[str, Any]) -> None:
    assert account(rule, **fields) == "own"


def test_an_account_is_fit_to_be_stored() -> None:
    assert len(account("metadata.a", metadata={"a": "x" * 5_000})) == MAX_ACCOUNT_CHARACTERS
    assert "\x00" not in account("metadata.a", metadata={"a": "a\x00b"})


def test_the_key_of_the_event_stays_so_that_it_is_the_same_event_still() -> None:
    before = event(metadata={"customer": "a"})
    assert with_own_account(before, "metadata.customer", PATHS).event_key == before.event_key


@pytest.mark.parametrize("rule", ["", "subaccount", "metadata.customer", "tag.c-", "raw.a.b[0]"])
def test_a_rule_that_can_be_followed_is_no_problem(rule: str) -> None:
    assert check_account_rule(rule, PATHS) == []


@pytest.mark.parametrize("rule", ["customer", "metadata.", "tag.", "raw.", "raw.a[", "Subaccount"])
def test_a_rule_that_cannot_be_followed_is_reported(rule: str) -> None:
    (problem,) = check_account_rule(rule, PATHS)
    assert "account_from" in problem
