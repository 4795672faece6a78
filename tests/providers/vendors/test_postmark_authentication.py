"""Whom a source of Postmark lets in: user and password, and addresses where they are listed."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from schemas.source import Secret, Source
from worker.providers.vendors.postmark.postmark import PROVIDER
from worker.providers.verdict import Accepted, Refused
from worker.samples.postmark import PostmarkSamples

NOW = datetime(2026, 3, 4, 5, 6, 9, tzinfo=UTC)


class TestAuthentication:
    SECRETS = (Secret("old:pass:word"), Secret("new:pässwörd"))
    SOURCE = Source(name="postmark", provider="postmark", secrets=SECRETS)

    def reason(self, source: Source, credentials: str | None, *, address: str = "192.0.2.10") -> str | None:
        request = PostmarkSamples().request({"RecordType": "Delivery"})
        headers = dict(request.headers)
        del headers["authorization"]
        if credentials is not None:
            headers["authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        request = msgspec.structs.replace(request, headers=headers, remote_address=address)
        verdict = PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})
        if isinstance(verdict, Refused):
            assert verdict.http_status in (401, 403)
            assert (verdict.challenge is not None) == (verdict.http_status == 401)
            return verdict.reason
        assert verdict == Accepted()
        return None

    def test_takes_each_of_several_secrets(self) -> None:
        for secret in self.SECRETS:
            assert self.reason(self.SOURCE, secret.reveal()) is None

    @pytest.mark.parametrize("credentials", ["old:pass", "old:", "new:pass:word", ":", "old:pass:word:", "x"])
    def test_refuses_any_other(self, credentials: str) -> None:
        assert self.reason(self.SOURCE, credentials) in ("bad_credentials", "unreadable_credentials")

    def test_refuses_none(self) -> None:
        assert self.reason(self.SOURCE, None) == "missing_credentials"
        assert self.reason(msgspec.structs.replace(self.SOURCE, secrets=()), "a:b") == "bad_credentials"

    def test_minds_the_list_of_addresses(self) -> None:
        source = msgspec.structs.replace(self.SOURCE, allowed_addresses=("192.0.2.0/28",))
        assert self.reason(source, "old:pass:word") is None
        assert self.reason(source, "old:pass:word", address="192.0.2.99") == "address_not_allowed"

    def test_is_left_out_only_in_so_many_words(self) -> None:
        assert self.reason(msgspec.structs.replace(self.SOURCE, authentication="none"), None) is None
        assert self.reason(msgspec.structs.replace(self.SOURCE, authentication=""), None) == "missing_credentials"

    def test_problems_of_a_source_are_named(self) -> None:
        assert PROVIDER.check_source(self.SOURCE) == []
        assert PROVIDER.check_source(PostmarkSamples().source("postmark")) == []
        for source, said in (
            (msgspec.structs.replace(self.SOURCE, secrets=()), "user:password"),
            (msgspec.structs.replace(self.SOURCE, secrets=(Secret("token"),)), "written user:password"),
            (msgspec.structs.replace(self.SOURCE, secrets=(Secret("user:"),)), "written user:password"),
            (msgspec.structs.replace(self.SOURCE, options={"topics": []}), "topics is not known"),
        ):
            assert said in "\n".join(PROVIDER.check_source(source))
