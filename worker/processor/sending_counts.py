"""What became of mail, counted for each sending domain: the rates that mailbox providers judge a sender by.

A log line for each calm event would be too much, so events are counted here and the counts logged once a minute.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.process import metrics
from worker.process.logs import get_logger
from worker.providers.account_rule import SENDING_DOMAIN
from worker.providers.provider import Provider
from worker.providers.registry import ENVELOPE_PROVIDERS
from worker.providers.sending_domain import sending_domain

_log = get_logger()

# Older events come from an import or a replay, and would look like today's mail.
_LATEST = timedelta(days=1)
# A sender who has a source's secret can name any number of domains, and any number of accounts if events name them.
# Beyond these limits, domains are counted as MORE until the limits start afresh.
MOST_DOMAINS = 200  # of one account at one source
MOST_DOMAINS_IN_ALL = 20_000
_FORGOTTEN_AFTER = timedelta(days=1)
_NONE: frozenset[str] = frozenset()

_Names = tuple[str, str, str, str]  # an event's account, source, provider and kind
_names: Callable[[FeedbackEvent], _Names] = operator.attrgetter("account", "source", "provider", "kind")
MORE = "(more)"


class Sender(Struct, frozen=True, kw_only=True):
    """Whose mail it was."""

    account: str
    source: str
    provider: str
    sending_domain: str  # empty if the vendor does not report it, or not with each of these events


class SendingCounts:
    """The counts of one process."""

    def __init__(
        self,
        providers: Mapping[str, Provider] = ENVELOPE_PROVIDERS,
        *,
        most_domains: int = MOST_DOMAINS,
        most_in_all: int = MOST_DOMAINS_IN_ALL,
    ) -> None:
        self._providers = providers
        self._most_domains = most_domains
        self._most_in_all = most_in_all
        self._domains: dict[tuple[str, str], set[str]] = {}  # by account and source
        self._domain_count = 0
        self._forgotten_at: datetime | None = None
        self._counts: dict[Sender, Counter[str]] = {}

    def add(self, events: Iterable[FeedbackEvent], *, now: datetime) -> None:
        """Counts events of `Applied.sendings`."""
        self._forget_at_times(now)
        since = now - _LATEST
        counts = self._count([event for event in events if event.occurred_at >= since])
        for ((account, source, of_provider, kind), reported), count in counts.items():
            domain = self._bounded(account, source, reported)
            sender = Sender(account=account, source=source, provider=of_provider, sending_domain=domain)
            self._counts.setdefault(sender, Counter())[kind] += count
            metrics.SENDINGS.labels(source, domain, kind).inc(count)

    def report(self) -> None:
        """Logs one line for each sender since the last call, and starts counting afresh."""
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

    def _forget_at_times(self, now: datetime) -> None:
        """Starts the limits afresh once a day."""
        if self._forgotten_at is None:
            self._forgotten_at = now
        elif now - self._forgotten_at >= _FORGOTTEN_AFTER:
            self._forgotten_at = now
            self._domains.clear()
            self._domain_count = 0
            metrics.SENDINGS.clear()  # Otherwise it grows from day to day. Prometheus takes it for a restart.

    def _count(self, events: Sequence[FeedbackEvent]) -> Mapping[tuple[_Names, str], int]:
        """How many have the same names and sending domain."""
        paths = {name: self._domain_paths(name) for name in {event.provider for event in events}}
        if not any(paths.values()):  # the names alone are counted without a step of Python for each event
            return {(names, ""): count for names, count in Counter(map(_names, events)).items()}
        return Counter(
            (_names(event), sending_domain(event, known) if (known := paths[event.provider]) else "")
            for event in events
        )

    def _domain_paths(self, provider_name: str) -> Mapping[str, str]:
        """Where the provider's events name their domain; empty if they do not, or not all of them."""
        provider = self._providers[provider_name]
        tells = provider.always_tells_domain and SENDING_DOMAIN in provider.account_paths
        return provider.account_paths if tells else {}

    def _bounded(self, account: str, source: str, domain: str) -> str:
        known = self._domains.get((account, source), _NONE)
        if not domain or domain in known:
            return domain
        if len(known) >= self._most_domains or self._domain_count >= self._most_in_all:
            return MORE
        self._domains.setdefault((account, source), set()).add(domain)
        self._domain_count += 1
        return domain


_counts = SendingCounts()


def sending_counts() -> SendingCounts:
    """The counts of this process."""
    return _counts
