"""A shown secret lets in who has it: as user and password, in a header, in the URL."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from schemas.source import Secret, Source
from worker.providers.authentication.credentials import (
    BasicCredentials,
    HeaderToken,
    QueryToken,
    bearer_token,
    refuse_basic_auth,
)
from worker.providers.authentication.scheme import Scheme
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
REQUEST = WebhookRequest(method="POST", path="/", query={}, headers={}, body=b"body", remote_address="192.0.2.10")


def with_basic(text: str, scheme: str = "Basic") -> WebhookRequest:
    header = f"{scheme} {base64.b64encode(text.encode()).decode()}"
    return msgspec.structs.replace(REQUEST, headers={"authorization": header})


def source_with(*secrets: str) -> Source:
    return Source(name="s", provider="p", secrets=tuple(map(Secret, secrets)))


def outcome(
    scheme: Scheme,
    *secrets: str,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    request = msgspec.structs.replace(REQUEST, headers=headers or {}, query=query or {})
    refused = scheme.bind(source_with(*secrets))(request, NOW)
    assert refused is None or all(secret not in refused.detail for secret in secrets if secret)
    return "accepted" if refused is None else refused.reason


# -- user and password


def test_user_and_password_are_those_of_one_secret() -> None:
    secrets = [Secret("me:old"), Secret("me:new:with:colons")]
    assert refuse_basic_auth(with_basic("me:old"), secrets) is None
    assert refuse_basic_auth(with_basic("me:new:with:colons"), secrets) is None
    assert refuse_basic_auth(with_basic("me:old", "bAsIc"), secrets) is None


@pytest.mark.parametrize("wrong", ["me:olD", "Me:old", "me:", ":old", ":", "me:old:", "m:e:old"])
def test_anything_else_is_refused_with_a_challenge(wrong: str) -> None:
    refused = refuse_basic_auth(with_basic(wrong), [Secret("me:old")])
    assert refused is not None
    assert refused.http_status == 401
    assert refused.challenge is not None
    assert refused.challenge.startswith("Basic ")


def test_a_secret_without_a_password_opens_nothing() -> None:
    assert refuse_basic_auth(with_basic("me:"), [Secret("me:")]) is not None
    assert refuse_basic_auth(with_basic("me:"), [Secret("me")]) is not None


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!", "Bearer abc", "Basic bWU=", "Basic ☃"])
def test_a_header_that_is_no_basic_authentication_is_refused(header: str) -> None:
    request = msgspec.structs.replace(REQUEST, headers={"authorization": header})
    assert refuse_basic_auth(request, [Secret("me:old")]) is not None


def test_a_password_beyond_ascii_is_compared_as_utf8() -> None:
    assert refuse_basic_auth(with_basic("jürgen:pässwort"), [Secret("jürgen:pässwort")]) is None


def test_the_scheme_of_user_and_password_needs_a_colon_in_each_secret() -> None:
    given = {"authorization": with_basic("me:old").headers["authorization"]}
    assert outcome(BasicCredentials(), "me:old", headers=given) == "accepted"
    assert outcome(BasicCredentials(), "me:new", headers=given) == "bad_credentials"
    assert outcome(BasicCredentials(), "me:new") == "missing_credentials"
    assert BasicCredentials().check_secrets(source_with("me:old")) == []
    assert len(BasicCredentials().check_secrets(source_with("me:old", "old"))) == 1


# -- a header


def test_a_header_carries_one_of_the_secrets() -> None:
    scheme = HeaderToken(header="x-token")
    assert outcome(scheme, "old", "new", headers={"x-token": "new"}) == "accepted"
    assert outcome(scheme, "old", "new", headers={"x-token": "old"}) == "accepted"
    assert outcome(scheme, "old", "new", headers={"x-token": " new "}) == "accepted"
    for wrong in ("newer", "NEW", "ne", "oldnew", "\u00fc", "\ud800"):
        assert outcome(scheme, "old", "new", headers={"x-token": wrong}) == "bad_credentials"
    assert outcome(scheme, "new", headers={"x-other": "new"}) == "missing_credentials"
    assert outcome(scheme, "new", query={"x-token": "new"}) == "missing_credentials"


def test_an_empty_secret_or_none_at_all_opens_nothing() -> None:
    for scheme in (HeaderToken(header="x-token"), HeaderToken(header="x-token", prefix="Bearer ")):
        assert outcome(scheme, "", headers={"x-token": "Bearer "}) != "accepted"
        assert outcome(scheme, headers={"x-token": "Bearer x"}) == "bad_credentials"


def test_a_bearer_token_needs_its_word_in_any_case() -> None:
    assert outcome(bearer_token(), "t0ken", headers={"authorization": "Bearer t0ken"}) == "accepted"
    assert outcome(bearer_token(), "t0ken", headers={"authorization": "bearer  t0ken"}) == "accepted"
    assert outcome(bearer_token(), "t0ken", headers={"authorization": "t0ken"}) == "unreadable_credentials"
    assert outcome(bearer_token(), "t0ken", headers={"authorization": "Basic t0ken"}) == "unreadable_credentials"
    assert outcome(bearer_token(), "t0ken", headers={"authorization": "Bearer T0KEN"}) == "bad_credentials"
    assert outcome(bearer_token(), "t0ken") == "missing_credentials"


def test_a_secret_that_no_header_can_carry_is_reported() -> None:
    assert bearer_token().check_secrets(source_with("t0ken")) == []
    assert len(bearer_token().check_secrets(source_with("t0ken", "t0ken\n"))) == 1


# -- the URL


def test_the_url_carries_one_of_the_secrets_in_its_query() -> None:
    scheme = QueryToken(parameter="key")
    assert outcome(scheme, "old", "new", query={"key": "new"}) == "accepted"
    assert outcome(scheme, "old", "new", query={"key": "other"}) == "bad_credentials"
    assert outcome(scheme, "new", query={"token": "new"}) == "missing_credentials"
    assert outcome(scheme, "", query={"key": ""}) == "missing_credentials"
    assert outcome(QueryToken(), "new", query={"token": "new"}) == "accepted"
    assert scheme.check_secrets(source_with("any text")) == []
