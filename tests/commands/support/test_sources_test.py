"""What `sources test` posts to prove that a source refuses forgeries."""

from datetime import UTC, datetime

import pytest

from worker.commands.support.sources_test import FORGED_BODY, FORGED_HEADERS, REFUSED_STATUSES
from worker.providers.registry import PROVIDERS
from worker.providers.verdict import Refused
from worker.samples.posting import post
from worker.samples.registry import SAMPLE_SENDERS

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_refuses_the_forgery_with_a_status_that_is_taken_for_a_refusal(provider: str) -> None:
    source = SAMPLE_SENDERS[provider]().source("first")
    verdict = (
        PROVIDERS[provider]
        .bind(source)
        .authenticate(post(provider, FORGED_BODY, FORGED_HEADERS), now=NOW, certificates={})
    )
    assert isinstance(verdict, Refused)
    assert verdict.http_status in REFUSED_STATUSES
