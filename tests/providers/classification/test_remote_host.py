"""Which host spoke, and whose tokens are believed of it."""

import pytest

from schemas.vocabulary import Cause
from worker.providers.classification.failure import classify
from worker.providers.classification.remote_host import host_in_caption, is_under, remote_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("mx.example.org", "mx.example.org"),
        ("MX.Example.ORG.", "mx.example.org"),
        ("dns; mx.example.org (192.0.2.1)", "mx.example.org"),
        ("mx.example.org [192.0.2.20]", "mx.example.org"),
        ("mx.example.org:25", "mx.example.org"),
        ("192.0.2.1", ""),
        ("[2001:db8::1]", ""),
        ("localhost", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_host_is_found_in_whatever_form_a_vendor_gives_it(text: str | None, host: str) -> None:
    assert remote_host(text) == host


@pytest.mark.parametrize(
    ("caption", "host"),
    [
        ("host mx1.example.org[192.0.2.1] said: ", "mx1.example.org"),
        ("smtp error from remote mail server after rcpt to:<jane@x.example>: host mx.example.org [192.0.2.1]: ", None),
        ("host a.example.org[192.0.2.1] said: host b.example.org[192.0.2.2] said: ", "b.example.org"),
        ("mx.example.org gave this error:", "mx.example.org"),
        ("the recipient server did not accept: ", ""),
        ("", ""),
    ],
)
def test_a_caption_names_the_host_that_it_quotes(caption: str, host: str | None) -> None:
    assert host_in_caption(caption) == ("mx.example.org" if host is None else host)


def test_a_domain_has_the_hosts_below_it_and_no_others() -> None:
    assert is_under("mta7.am0.yahoodns.net", ["yahoodns.net"])
    assert is_under("yahoodns.net", ["yahoodns.net"])
    assert not is_under("notyahoodns.net", ["yahoodns.net"])
    assert not is_under("yahoodns.net.evil.example", ["yahoodns.net"])


@pytest.mark.parametrize(
    ("host", "caption", "cause"),
    [
        (None, "", Cause.SENDER_REPUTATION),  # nobody knows who spoke
        ("mta5.am0.yahoodns.net", "", Cause.SENDER_REPUTATION),
        ("mx.north.example", "", Cause.POLICY),
        ("192.0.2.1", "", Cause.SENDER_REPUTATION),
        (None, "host mx.north.example[192.0.2.1] said: ", Cause.POLICY),
        # The caption is nearer to the words than the report: the relay that the vendor knows quotes Yahoo.
        ("relay.north.example", "host mta5.am0.yahoodns.net[192.0.2.1] said: ", Cause.SENDER_REPUTATION),
    ],
)
def test_a_providers_token_is_not_believed_of_anothers_host(host: str | None, caption: str, cause: Cause) -> None:
    verdict = classify(
        smtp_code=None,
        enhanced_status=None,
        diagnostic=f"{caption}554 Message not allowed - [BL21] see the postmaster",
        permanent=True,
        remote_host=host,
    )
    assert verdict.cause is cause


def test_a_token_that_names_its_provider_is_believed_of_every_host() -> None:
    verdict = classify(
        smtp_code=None,
        enhanced_status=None,
        diagnostic="550 the account is gone https://support.google.com/mail/?p=DisabledUser",
        permanent=True,
        remote_host="mx.north.example",
    )
    assert verdict.cause is Cause.MAILBOX_DISABLED
