"""Who sent a webhook: the provider's pure check, fed with what it asks for."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from schemas.source import Source
from worker.providers.provider import (
    Accepted,
    Answered,
    CertificateNeeded,
    ConfirmSubscription,
    Provider,
    Refused,
    Verdict,
    WebhookRequest,
)
from worker.receiver.certificates import Certificates

# One certificate is what every vendor needs; a provider that never has enough is a mistake of ours.
MAX_CERTIFICATES_PER_REQUEST = 3


async def authenticate(
    provider: Provider,
    source: Source,
    request: WebhookRequest,
    certificates: Certificates,
    *,
    in_thread: Callable[[Callable[[], Verdict]], Awaitable[Verdict]] | None = None,
) -> Accepted | Refused | ConfirmSubscription | Answered:
    """The provider's verdict, with the certificates that it asks for fetched.

    `in_thread` runs the check elsewhere, for bodies that would hold up the event loop. Raises CertificateUnavailable
    when a certificate cannot be had now.
    """
    now = datetime.now(UTC)

    async def judge(at_hand: Mapping[str, bytes]) -> Verdict:
        if in_thread is None:
            return provider.authenticate(request, source, now=now, certificates=at_hand)
        return await in_thread(lambda: provider.authenticate(request, source, now=now, certificates=at_hand))

    verdict = await judge(certificates.at_hand)
    fetched: dict[str, bytes] = {}
    for _ in range(MAX_CERTIFICATES_PER_REQUEST):
        if not isinstance(verdict, CertificateNeeded):
            return verdict
        fetched[verdict.url] = await certificates.get(verdict.url)
        verdict = await judge(fetched)
    if not isinstance(verdict, CertificateNeeded):
        return verdict
    return Refused(
        reason="too_many_certificates",
        detail=f"the request names more than {MAX_CERTIFICATES_PER_REQUEST} certificates: no vendor does that",
    )
