"""Asks the DNS whether a domain takes mail, with limits for time and number."""

import asyncio
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns.rdtypes.ANY.MX import MX

from worker.policy.recheck import DomainAnswer, DomainState

_MOST_HOSTS = 10


class DomainLookup:
    """The look-ups of one process."""

    def __init__(self, *, timeout_seconds: float, at_once: int, nameservers: Sequence[tuple[str, int]] = ()) -> None:
        self._timeout_seconds = timeout_seconds
        self._turns = asyncio.Semaphore(at_once)
        self._nameservers = nameservers
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def ask(self, domain: str) -> DomainAnswer:
        """Whether the domain (A-labels) takes mail; `unknown` if that takes too long. Does not raise."""
        if domain.startswith("["):
            return DomainAnswer(state=DomainState.UNKNOWN, detail="it is an IP address")
        try:
            async with asyncio.timeout(self._timeout_seconds), self._turns:
                return await self._ask(domain)
        except TimeoutError:
            detail = f"no answer within {self._timeout_seconds:g} s"
        except dns.resolver.NoResolverConfiguration:
            detail = "this machine has no resolver: set recheck.nameservers"
        except (dns.exception.DNSException, OSError) as error:
            if isinstance(error, dns.name.LabelTooLong | dns.name.NameTooLong | dns.name.EmptyLabel):
                return DomainAnswer(state=DomainState.DOES_NOT_EXIST)  # the DNS cannot hold such a name
            detail = _detail(error)
        return DomainAnswer(state=DomainState.UNKNOWN, detail=detail)

    async def _ask(self, domain: str) -> DomainAnswer:
        try:
            records = [one for one in await self._records(domain, dns.rdatatype.MX) if isinstance(one, MX)]
        except dns.resolver.NXDOMAIN:
            return DomainAnswer(state=DomainState.DOES_NOT_EXIST)
        hosts = [
            one.exchange.to_text(omit_final_dot=True)
            for one in sorted(records, key=lambda one: one.preference)
            if one.exchange != dns.name.root
        ]
        if hosts:
            return DomainAnswer(state=DomainState.TAKES_MAIL, hosts=tuple(hosts[:_MOST_HOSTS]))
        if records:
            return DomainAnswer(state=DomainState.TAKES_NO_MAIL)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            if await self._records(domain, kind):
                return DomainAnswer(state=DomainState.TAKES_MAIL, hosts=(domain,))
        return DomainAnswer(state=DomainState.DOES_NOT_EXIST)

    async def _records(self, domain: str, kind: dns.rdatatype.RdataType) -> list[object]:
        resolver = self._the_resolver()
        try:
            answer = await resolver.resolve(f"{domain}.", kind, lifetime=self._timeout_seconds, search=False)
        except dns.resolver.NoAnswer:
            return []
        return list(answer)

    def _the_resolver(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers = [Do53Nameserver(host, port) for host, port in self._nameservers]
            self._resolver = resolver
        return self._resolver


def _detail(error: Exception) -> str:
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return "no answer in time"
    if isinstance(error, dns.resolver.NoNameservers):
        return "its nameservers fail"
    return type(error).__name__
