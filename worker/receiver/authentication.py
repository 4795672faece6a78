"""Who sent a webhook: the provider's pure check, fed with what it asks for."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from worker.providers.bound_source import BoundSource
from worker.providers.verdict import CertificateNeeded, Judgement, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest
from worker.receiver.certificates import Certificates

# One certificate is what every vendor needs; a provider that never has enough is a mistake of ours.
MAX_CERTIFICATES_PER_REQUEST = 3


async def authenticate(
    source: BoundSource,
    request: WebhookRequest,
    certificates: Certificates,
    *,
    in_thread: Callable[[Callable[[], Judgement]], Awaitable[Judgement]] | None = None,
) -> Verdict:
    """The provider's verdict, with the certificates that it asks for fetched.

    `in_thread` runs the check elsewhere, for bodies that would hold up the event loop. Raises CertificateUnavailable
    when a certificate cannot be had now.
    """
    now = datetime.now(UTC)

    async def judge(at_hand: Mapping[str, bytes]) -> Judgement:
        if in_thread is None:
            return source.authenticate(request, now=now, certificates=at_hand)
        return await in_thread(lambda: source.authenticate(request, now=now, certificates=at_hand))

    judged = await judge(certificates.at_hand)
    fetched: dict[str, bytes] = {}
    for _ in range(MAX_CERTIFICATES_PER_REQUEST):
        if not isinstance(judged, CertificateNeeded):
            return judged
        fetched[judged.url] = await certificates.get(judged.url)
        judged = await judge(fetched)
    if not isinstance(judged, CertificateNeeded):
        return judged
    return Refused(
        reason="too_many_certificates",
        detail=f"the request names more than {MAX_CERTIFICATES_PER_REQUEST} certificates: no vendor does that",
    )
