"""Mail as an MTA posts it, and as `mailbox` queues it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.source import Secret, Source
from schemas.vocabulary import Kind
from tests.providers.mail_conformance import BOUNCE, TOKEN_SECRET, MailConformance
from tests.providers.reading import wrap
from tests.providers.sample_events import NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.mail.mail_webhook import (
    DELIVERED_AT_HEADER,
    DKIM_PASS_HEADER,
    PROVIDER,
    TOKEN_HEADER,
    envelope_address,
)
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mail import MailSamples
from worker.samples.mail_message import delivery_status
from worker.samples.speaking import sample_webhook


class TestMail(MailConformance):
    provider_name = "mail"
    make_sender = MailSamples
    empty_bodies = (b"", b"\r\n", b"{}")

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [{"lines": request.body.decode().split("\r\n")}]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        lines = document.get("lines", document)
        return "\r\n".join(str(line) for line in (lines if isinstance(lines, list) else [lines])).encode(
            errors="replace"
        )

    def with_mail(self, document: Any, message: str) -> Any:
        return document | {"lines": message.split("\r\n")}

    @pytest.mark.parametrize(
        ("scheme", "header", "value"),
        [
            ("bearer", "authorization", "Bearer long-secret"),
            ("header", TOKEN_HEADER, "long-secret"),
        ],
    )
    def test_a_token_may_stand_in_a_header(self, scheme: str, header: str, value: str) -> None:
        source = Source(
            name="first",
            provider="mail",
            authentication=scheme,
            secrets=(Secret("long-secret"),),
            options={"token_secrets": (Secret(TOKEN_SECRET),)},
        )
        assert PROVIDER.check_source(source) == []
        good, bad, missing = (
            msgspec.structs.replace(self.request(), headers={"content-type": "message/rfc822", **shown})
            for shown in ({header: value}, {header: value + "x"}, {})
        )
        assert isinstance(PROVIDER.bind(source).authenticate(good, now=NOW, certificates={}), Accepted)
        for request in (bad, missing):
            assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Refused)

    def test_what_only_the_mailbox_knows_is_taken_from_no_request(self) -> None:
        assert not {DKIM_PASS_HEADER, DELIVERED_AT_HEADER} & PROVIDER.kept_headers
        posted = self.new_sender().posted(BOUNCE, now=NOW)
        claiming = msgspec.structs.replace(posted, headers={**posted.headers, DKIM_PASS_HEADER: "arf.mail.yahoo.com"})
        assert self.unwrapped(claiming).dkim_pass == ()

    def test_what_lay_in_a_mailbox_is_dated_by_when_it_came_there(self) -> None:
        undated = delivery_status(sample(), "failed", token_secret=TOKEN_SECRET, dated=False)
        envelope = self.envelope(self.new_sender().posted(undated, now=NOW))
        then = NOW - timedelta(days=30)
        fetched = msgspec.structs.replace(envelope, headers={DELIVERED_AT_HEADER: then.isoformat()})
        (event,) = self.read(fetched)
        assert (event.occurred_at, event.received_at, event.arrival_dated) == (then, then, True)

    def test_a_mailbox_whose_clock_runs_ahead_dates_nothing_into_the_future(self) -> None:
        envelope = self.envelope(self.new_sender().posted(BOUNCE, now=NOW))
        later = (NOW + timedelta(days=1)).isoformat()
        (event,) = self.read(msgspec.structs.replace(envelope, headers={DELIVERED_AT_HEADER: later}))
        assert event.received_at == NOW

    def test_an_empty_post_says_what_to_post(self) -> None:
        with pytest.raises(UnreadablePayload, match="post the message itself"):
            self.read(self.envelope(self.request(), b" \r\n"))

    def test_a_processor_that_lacks_the_source_sets_mail_aside_instead_of_believing_none_of_it(self) -> None:
        envelope = self.envelope(self.new_sender().posted(BOUNCE, now=NOW))
        with pytest.raises(UnreadablePayload, match="not configured here"):
            PROVIDER.bind(Source(name=envelope.source, provider="mail")).parse(envelope)


def test_the_null_sender_is_known_however_it_is_written() -> None:
    assert [envelope_address(text) for text in ("<>", "", " <> ", "MAILER-DAEMON", "<mailer-daemon>")] == [""] * 5
    assert envelope_address("<a@example.org>") == envelope_address("a@example.org") == "a@example.org"
    assert envelope_address(None) is None


def mailbox_source(**options: Any) -> Source:
    usual = {
        "imap_host": "imap.example.org",
        "imap_user": "bounces@example.org",
        "imap_password": Secret("secret"),
        "token_secrets": (Secret(TOKEN_SECRET),),
    }
    return Source(
        name="mail", provider="mail", options={key: value for key, value in {**usual, **options}.items() if value != ""}
    )


def test_a_source_with_a_mailbox_needs_no_secret_and_then_lets_nobody_post() -> None:
    source = mailbox_source()
    assert PROVIDER.check_source(source) == []
    verdict = PROVIDER.bind(source).authenticate(MailSamples().posted(BOUNCE, now=NOW), now=NOW, certificates={})
    assert isinstance(verdict, Refused)


def test_a_mailbox_verifies_signatures_so_that_no_token_is_needed() -> None:
    assert PROVIDER.check_source(mailbox_source(token_secrets="")) == []
    assert PROVIDER.check_source(mailbox_source(token_secrets="", imap_verify_dkim=False))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"imap_host": ""}, "imap_host is missing"),
        ({"imap_host": 3}, "imap_host = 3: it must be a text"),
        ({"imap_user": ""}, "imap_user is missing"),
        ({"imap_password": ""}, "imap_password is missing"),
        ({"imap_port": 0}, "imap_port = 0"),
        ({"imap_port": "993"}, "imap_port = '993'"),
        ({"imap_tls": "ssl"}, "imap_tls = 'ssl'"),
        ({"imap_tls": "none"}, "would send the password in clear"),
        ({"imap_verify_dkim": "no"}, "imap_verify_dkim must be true or false"),
        ({"after_fetch": "keep"}, 'use "flag", "delete" or "move:FOLDER"'),
        ({"after_fetch": "move:"}, 'use "flag", "delete" or "move:FOLDER"'),
        ({"after_fetch": "move:INBOX"}, "name another one"),
        ({"secret": "x"}, "secret is not known to mail: did you mean secrets?"),
        ({"imap_hostname": "x"}, "imap_hostname is not known to mail: did you mean imap_host?"),
    ],
)
def test_a_mistake_in_a_mailbox_names_its_remedy(options: dict[str, Any], told: str) -> None:
    problems = PROVIDER.check_source(mailbox_source(**options))
    assert any(told in problem for problem in problems), problems
    assert all("secret'" not in problem for problem in problems)


def test_a_server_on_this_machine_may_be_spoken_to_in_clear() -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        assert PROVIDER.check_source(mailbox_source(imap_host=host, imap_tls="none")) == []


@pytest.mark.parametrize("scheme", ["", "bearer", "header", "none"])
def test_a_sample_carries_a_token_of_the_source_however_it_is_proven(scheme: str) -> None:
    source = Source(
        name="mail",
        provider="mail",
        authentication=scheme,
        secrets=(Secret("mta:a-long-password"),) if scheme != "none" else (),
        options={"token_secrets": (Secret(TOKEN_SECRET),)},
    )
    sample_of_it = sample_webhook(source, PROVIDER, now=NOW)
    assert sample_of_it.signed
    (event,) = PROVIDER.bind(source).parse(wrap(PROVIDER, sample_of_it.request))
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, "sample-of-mail@bouncekeeper.invalid")
