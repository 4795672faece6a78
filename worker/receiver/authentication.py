"""Who sent a webhook: the provider's pure check, fed with what it asks for."""

from datetime import UTC, datetime

from schemas.source import Source
from worker.providers.provider import (
    Accepted,
    Answered,
    CertificateNeeded,
    ConfirmSubscription,
    Provider,
    Refused,
    WebhookRequest,
)
from worker.receiver.certificates import Certificates

# One certificate is what every vendor needs; a provider that never has enough is a mistake of ours.
MAX_CERTIFICATES_PER_REQUEST = 3


async def authenticate(
    provider: Provider, source: Source, request: WebhookRequest, certificates: Certificates
) -> Accepted | Refused | ConfirmSubscription | Answered:
    """The provider's verdict, with the certificates that it asks for fetched.

    Raises CertificateUnavailable when one cannot be had now.
    """
    now = datetime.now(UTC)
    verdict = provider.authenticate(request, source, now=now, certificates=certificates.at_hand)
    if not isinstance(verdict, CertificateNeeded):
        return verdict
    fetched: dict[str, bytes] = {}
    for _ in range(MAX_CERTIFICATES_PER_REQUEST):
        fetched[verdict.url] = await certificates.get(verdict.url)
        verdict = provider.authenticate(request, source, now=now, certificates=fetched)
        if not isinstance(verdict, CertificateNeeded):
            return verdict
    return Refused(
        reason="too_many_certificates",
        detail=f"the request names more than {MAX_CERTIFICATES_PER_REQUEST} certificates: no vendor does that",
    )
