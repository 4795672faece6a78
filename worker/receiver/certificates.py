"""Signing certificates: fetched once, shared by all who ask at the same time, kept."""

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
    """PEM bytes by URL. A URL names one certificate for ever (vendors put a hash into it)."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    @property
    def at_hand(self) -> Mapping[str, bytes]:
        """Those that need not be fetched."""
        return MappingProxyType(self._kept)

    async def get(self, url: str) -> bytes:
        """The certificate; raises CertificateUnavailable, and a failure is never remembered."""
        if url in self._kept:
            return self._kept[url]
        fetching = self._under_way.get(url)
        if fetching is None:
            fetching = self._under_way[url] = asyncio.create_task(self._fetch(url))
            fetching.add_done_callback(lambda task: self._fetched(url, task))
        # A caller that goes away must not take the others' certificate along.
        return await asyncio.shield(fetching)

    def _fetched(self, url: str, task: asyncio.Task[bytes]) -> None:
        del self._under_way[url]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[url] = task.result()
        if len(self._kept) > MAX_CERTIFICATES:
            self._kept.popitem(last=False)

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
                f"{url} holds no certificate in PEM: something between the vendor and here answers in its place"
            )
        log.info("certificate.fetched", url=url)
        return pem
