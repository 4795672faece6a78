"""A header that the operator has named carries the secret, and no other header does."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.source import Secret, Source
from worker.providers.authentication.configured_header import ConfiguredHeader, check_header_option
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SCHEMES: dict[str, Scheme] = {"": BasicCredentials(), "header": ConfiguredHeader()}


def source_with(*secrets: str, authentication: str = "header", **options: Any) -> Source:
    return Source(
        name="s",
        provider="p",
        authentication=authentication,
        secrets=tuple(map(Secret, secrets)),
        options=options,
    )


def outcome(source: Source, headers: Mapping[str, str], scheme: ConfiguredHeader | None = None) -> str:
    request = WebhookRequest(
        method="POST", path="/", query={}, headers=headers, body=b"body", remote_address="192.0.2.10"
    )
    refused = (scheme or ConfiguredHeader()).bind(source)(request, NOW)
    assert refused is None or all(secret.reveal() not in refused.detail for secret in source.secrets if secret.reveal())
    return "accepted" if refused is None else refused.reason


def test_the_named_header_carries_one_of_the_secrets() -> None:
    source = source_with("old-key", "new-key", header="X-Shop-Key")
    assert outcome(source, {"x-shop-key": "old-key"}) == "accepted"
    assert outcome(source, {"x-shop-key": "new-key"}) == "accepted"
    assert outcome(source, {"x-shop-key": "guess"}) == "bad_credentials"
    assert outcome(source, {"x-shop-key": "old-key,new-key"}) == "bad_credentials"
    assert outcome(source, {"x-shop-key": ""}) == "missing_credentials"


def test_where_a_name_is_given_the_usual_header_opens_nothing() -> None:
    source = source_with("a-key", header="X-Shop-Key")
    assert outcome(source, {"x-webhook-secret": "a-key", "authorization": "a-key"}) == "missing_credentials"


def test_without_a_name_it_is_the_default() -> None:
    assert outcome(source_with("a-key"), {"x-webhook-secret": "a-key"}) == "accepted"
    assert outcome(source_with("a-key"), {"x-own": "a-key"}, ConfiguredHeader(default="x-own")) == "accepted"
    assert ConfiguredHeader().check_secrets(source_with("a-key")) == []


def test_an_authorization_header_may_be_written_out() -> None:
    source = source_with("Token abc", header="Authorization")
    assert ConfiguredHeader().check_secrets(source) == []
    assert outcome(source, {"authorization": "Token abc"}) == "accepted"


@pytest.mark.parametrize("name", ["X-Shop-Key", "x_key", "X.Key!#$%&'*+^`|~1", "k" * 100])
def test_a_name_is_a_token_of_http(name: str) -> None:
    assert ConfiguredHeader().check_secrets(source_with("a-key", header=name)) == []
    assert outcome(source_with("a-key", header=name), {name.lower(): "a-key"}) == "accepted"


@pytest.mark.parametrize(
    "name",
    ["", " ", "X-Key: a", "X Key", "X-Key\n", "X-Schlüssel", "(key)", "k" * 101, None, 7, True, ["X-Key"]],
)
def test_what_is_no_name_of_a_header_is_reported_with_an_example(name: object) -> None:
    (problem,) = ConfiguredHeader().check_secrets(source_with("a-key", header=name))
    assert problem.startswith("header = ")
    assert "X-Webhook-Secret" in problem


@pytest.mark.parametrize("name", ["Host", "content-type", "Content-Length", "User-Agent", "Forwarded"])
def test_a_header_that_every_request_has_is_no_place_for_a_secret(name: str) -> None:
    assert ConfiguredHeader().check_secrets(source_with("a-key", header=name))
    assert outcome(source_with("a-key", header=name), {name.lower(): "a-key"}) == "missing_credentials"


def test_a_secret_with_a_blank_at_its_end_is_reported() -> None:
    (problem,) = ConfiguredHeader().check_secrets(source_with("a-key ", header="X-Key"))
    assert "blank" in problem


def test_an_empty_secret_opens_nothing() -> None:
    assert outcome(source_with("", header="X-Key"), {"x-key": " "}) == "bad_credentials"


def test_a_name_that_nobody_would_look_at_is_reported() -> None:
    (problem,) = check_header_option(source_with("me:key", authentication="", header="X-Key"), SCHEMES)
    assert 'authentication = "header"' in problem
    assert check_header_option(source_with("a-key", header="X-Key"), SCHEMES) == []
    assert check_header_option(source_with("me:key", authentication=""), SCHEMES) == []


def test_where_a_provider_has_no_such_scheme_the_option_is_left_to_those_that_do_not_know_it() -> None:
    assert check_header_option(source_with("a-key", header="X-Key"), {"": bearer_token()}) == []
