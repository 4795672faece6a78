"""What became of mail, counted for each sending domain: the rates that mailbox providers judge a sender by.

A line for each calm event would be too many, so what has come in is kept here and told once a minute.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.process import metrics
from worker.process.logs import get_logger
from worker.providers.provider import Provider
from worker.providers.registry import ENVELOPE_PROVIDERS
from worker.providers.sending_domain import sending_domain

_log = get_logger()

# An import or a replay tells of other days, and would look like today's mail.
_LATEST = timedelta(days=1)
# Whoever holds a source's secret can name any number of domains. What is beyond has this name.
MOST_DOMAINS = 1000
MORE = "(more)"


class Sender(Struct, frozen=True, kw_only=True):
    """Whose mail it was."""

    account: str
    source: str
    provider: str
    sending_domain: str  # empty if the vendor does not tell it, or not with each of these events


class SendingCounts:
    """Of one process."""

    def __init__(
        self, providers: Mapping[str, Provider] = ENVELOPE_PROVIDERS, *, most_domains: int = MOST_DOMAINS
    ) -> None:
        self._providers = providers
        self._most_domains = most_domains
        self._domains: set[str] = set()
        self._counts: dict[Sender, Counter[str]] = {}

    def add(self, events: Iterable[FeedbackEvent], *, now: datetime) -> None:
        """Counts events of `Applied.sendings`."""
        since = now - _LATEST
        counts: Counter[tuple[str, str, str, str, str]] = Counter()
        for event in events:
            if event.occurred_at >= since:
                provider = self._providers[event.provider]
                domain = sending_domain(event, provider.account_paths) if provider.always_tells_domain else ""
                counts[event.account, event.source, event.provider, domain, event.kind] += 1
        for (account, source, of_provider, told_domain, kind), count in counts.items():
            domain = self._bounded(told_domain)
            sender = Sender(account=account, source=source, provider=of_provider, sending_domain=domain)
            self._counts.setdefault(sender, Counter())[kind] += count
            metrics.SENDINGS.labels(source, domain, kind).inc(count)

    def report(self) -> None:
        """Logs one line for each sender since the last call, and begins anew."""
        counts, self._counts = self._counts, {}
        for sender, of_kind in counts.items():
            _log.info(
                "sendings.counted",
                account=sender.account,
                source=sender.source,
                provider=sender.provider,
                sending_domain=sender.sending_domain,
                delivered=of_kind[Kind.DELIVERED],
                hard_bounces=of_kind[Kind.HARD_BOUNCE],
                soft_bounces=of_kind[Kind.SOFT_BOUNCE],
                blocked=of_kind[Kind.BLOCKED],
                complaints=of_kind[Kind.COMPLAINT],
            )

    def _bounded(self, domain: str) -> str:
        if domain in self._domains:
            return domain
        if len(self._domains) >= self._most_domains:
            return MORE
        self._domains.add(domain)
        return domain


_counts = SendingCounts()


def sending_counts() -> SendingCounts:
    """Those of this process."""
    return _counts
