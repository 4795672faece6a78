"""The domain that a message was sent from: read quickly, and the same as the rule for accounts reads."""

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from tests.providers.reading import wrap
from tests.providers.sample_events import NOW, one_of_each
from worker.contacts.batch_terms import SENDING_KINDS
from worker.providers.account_rule import SENDING_DOMAIN, named_account
from worker.providers.payload.feedback import is_malformed
from worker.providers.registry import PROVIDERS
from worker.providers.sending_domain import sending_domain
from worker.samples.registry import SAMPLE_SENDERS

TELLING = sorted(name for name, provider in PROVIDERS.items() if SENDING_DOMAIN in provider.account_paths)


def events_of(provider: str) -> list[FeedbackEvent]:
    """The events of a sample webhook of each kind."""
    sender = SAMPLE_SENDERS[provider]()
    source = PROVIDERS[provider].bind(sender.source("first"))
    events = [
        event
        for request in sender.requests(one_of_each(), now=NOW)
        for event in source.parse(wrap(PROVIDERS[provider], request))
    ]
    return [event for event in events if not is_malformed(event)]


@pytest.mark.parametrize("provider", TELLING)
def test_the_quick_way_reads_what_the_rule_for_accounts_reads(provider: str) -> None:
    paths = PROVIDERS[provider].account_paths
    events = events_of(provider)
    assert events
    for event in events:
        assert sending_domain(event, paths) == (named_account(event, SENDING_DOMAIN, paths) or "")


def event_with(raw: bytes) -> FeedbackEvent:
    """Any event, with these bytes of its vendor's."""
    return msgspec.structs.replace(events_of("postmark")[0], raw=raw)


@pytest.mark.parametrize(
    ("raw", "path", "domain"),
    [
        (b'{"From": "Jane <Jane@News.Example.com>"}', "From", "news.example.com"),
        (b'{"From": "example.com", "To": {"a": [1]}}', "From", "example.com"),
        (b'{"mail": {"source": "a@b.example"}}', "mail.source", "b.example"),
        (b'{"mail": "no object"}', "mail.source", ""),
        (b'{"mail": {"source": 7}}', "mail.source", "7"),
        (b'{"domain": {"name": "a.example"}}', "domain.name || domain || message.headers.from", "a.example"),
        (b'{"domain": "b.example"}', "domain.name || domain || message.headers.from", "b.example"),
        (b'{"domain": ""}', "domain.name || domain || message.headers.from", ""),
        (
            b'{"message": {"headers": {"from": "<x@c.example>"}}}',
            "domain.name || domain || message.headers.from",
            "c.example",
        ),
        (b'{"from": "x@d.example"}', '"from"', "d.example"),
        (b"from=x%40e.example&x=1", "from", "e.example"),
        (b'{"a": [{"b": "x@f.example"}]}', "a[0].b", "f.example"),
        (b'{"From": "' + b"x" * 100_000 + b'@g.example"}', "From", "g.example"),
        (b"[" * 100_000, "From", ""),
        (b"\xff\xfe", "From", ""),
        (b"", "From", ""),
    ],
)
def test_a_path_leads_to_the_domain_behind_the_at_sign(raw: bytes, path: str, domain: str) -> None:
    assert sending_domain(event_with(raw), {SENDING_DOMAIN: path}) == domain


def test_a_vendor_that_tells_none_has_none() -> None:
    assert sending_domain(event_with(b'{"From": "a@b.example"}'), {}) == ""


@pytest.mark.parametrize("provider", TELLING)
def test_a_rate_is_made_only_where_each_event_that_counts_tells_the_domain(provider: str) -> None:
    known = PROVIDERS[provider]
    counted = [event for event in events_of(provider) if event.kind in SENDING_KINDS]
    assert all(sending_domain(event, known.account_paths) for event in counted) == known.always_tells_domain
