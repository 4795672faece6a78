"""Caches signing certificates. Each is fetched once, however many requests need it at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

from worker.errors import CertificateUnavailable, TryAgainLater
from worker.process.logs import get_logger
from worker.receiver.outbound import Outbound

log = get_logger()

MAX_CERTIFICATES = 64
_PEM_MARK = b"-----BEGIN CERTIFICATE-----"


class Certificates:
    """Certificates in PEM by URL. A URL always names the same certificate: vendors put a hash into it."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._pems: OrderedDict[str, bytes] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    @property
    def cache(self) -> Mapping[str, bytes]:
        """The certificates that need not be fetched."""
        return MappingProxyType(self._pems)

    async def get(self, url: str) -> bytes:
        """The certificate. Raises CertificateUnavailable; the next call then tries again."""
        if url in self._pems:
            return self._pems[url]
        fetching = self._under_way.get(url)
        if fetching is None:
            fetching = self._under_way[url] = asyncio.create_task(self._fetch(url))
            fetching.add_done_callback(lambda task: self._keep(url, task))
        # If one caller is cancelled, the others still get the certificate.
        return await asyncio.shield(fetching)

    def _keep(self, url: str, task: asyncio.Task[bytes]) -> None:
        del self._under_way[url]
        if task.cancelled() or task.exception() is not None:
            return
        self._pems[url] = task.result()
        if len(self._pems) > MAX_CERTIFICATES:
            self._pems.popitem(last=False)

    async def _fetch(self, url: str) -> bytes:
        try:
            pem = await self._outbound.get(url)
        except TryAgainLater as error:
            raise CertificateUnavailable(
                f"the signing certificate {url} could not be fetched ({error}): let the receiver reach that host "
                "over https"
            ) from error
        if _PEM_MARK not in pem:
            raise CertificateUnavailable(
                f"{url} does not answer with a certificate in PEM: check what stands between the vendor and this "
                "receiver and answers in the vendor's place"
            )
        log.info("certificate.fetched", url=url)
        return pem
