"""Authenticates a webhook by the provider's pure check, and fetches the certificates that the check needs."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from worker.providers.bound_source import BoundSource
from worker.providers.verdict import CertificateNeeded, Judgement, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest
from worker.receiver.certificates import Certificates

# Every vendor needs one certificate. A provider that asks for more and more has a bug.
MAX_CERTIFICATES_PER_REQUEST = 3


async def authenticate(
    source: BoundSource,
    request: WebhookRequest,
    certificates: Certificates,
    *,
    in_thread: Callable[[Callable[[], Judgement]], Awaitable[Judgement]] | None = None,
) -> Verdict:
    """The provider's verdict. Fetches the certificates that the provider asks for.

    `in_thread` runs the check in a thread, for bodies that would hold up the event loop. Raises CertificateUnavailable
    if a certificate cannot be fetched now.
    """
    now = datetime.now(UTC)

    async def judge(pems: Mapping[str, bytes]) -> Judgement:
        if in_thread is None:
            return source.authenticate(request, now=now, certificates=pems)
        return await in_thread(lambda: source.authenticate(request, now=now, certificates=pems))

    judgement = await judge(certificates.cache)
    pems: dict[str, bytes] = {}
    for _ in range(MAX_CERTIFICATES_PER_REQUEST):
        if not isinstance(judgement, CertificateNeeded):
            return judgement
        pems[judgement.url] = await certificates.get(judgement.url)
        judgement = await judge(pems)
    if not isinstance(judgement, CertificateNeeded):
        return judgement
    return Refused(
        reason="too_many_certificates",
        detail=f"the request names more than {MAX_CERTIFICATES_PER_REQUEST} certificates: no vendor does that",
    )
