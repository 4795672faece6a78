"""Where AWS, and other services with SNS messages, keep their certificates and take confirmations."""

import re
from functools import lru_cache
from typing import Protocol
from urllib.parse import parse_qs

from msgspec import Struct

AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn")

# Of the host, exactly a region: "sns.s3.amazonaws.com" and "sns.s3-us-west-2.amazonaws.com" are buckets that
# anybody can own. The whole URL is matched, so that no userinfo, port, query or fragment slips in.
_AWS_REGION = r"(?:[a-z]{2}|eusc)(?:-[a-z]+){1,3}-[0-9]{1,2}"


class SnsEndpoints(Protocol):
    """The addresses of one service that its messages may name."""

    @property
    def where(self) -> str:
        """The hosts, in words for the operator."""
        ...

    def is_certificate_url(self, url: str) -> bool:
        """True only for a place where only the service can put a certificate."""
        ...

    def is_subscribe_url(self, url: str, topic_arn: str) -> bool:
        """True only for the service's confirmation of exactly this topic."""
        ...

    def issuers_url(self, topic_arn: str, /) -> str | None:
        """The URL of the certificates that must have issued the signing one; None if its place is proof enough."""
        ...


class AwsEndpoints(Struct, frozen=True):
    """The regional endpoints of AWS, under each of the domains."""

    domains: tuple[str, ...] = AWS_DOMAINS

    @property
    def where(self) -> str:
        """The domains."""
        return f"an SNS endpoint under {', '.join(self.domains)}"

    def is_certificate_url(self, url: str) -> bool:
        """True only for a certificate of a regional SNS endpoint."""
        return _aws_certificate_url(self.domains).fullmatch(url) is not None

    def is_subscribe_url(self, url: str, topic_arn: str) -> bool:
        """True only for a regional SNS endpoint's confirmation of exactly this topic."""
        return confirms_topic(_aws_subscribe_url(self.domains).fullmatch(url), topic_arn)

    def issuers_url(self, _topic_arn: str, /) -> None:
        """None: only AWS can put a file at its endpoints."""


def confirms_topic(matched: re.Match[str] | None, topic_arn: str) -> bool:
    """True if the group `query` of a matched URL asks for the confirmation of exactly this topic."""
    if matched is None:
        return False
    query = parse_qs(matched["query"])
    return query.get("Action") == ["ConfirmSubscription"] and query.get("TopicArn") == [topic_arn]


@lru_cache(maxsize=16)
def _aws_certificate_url(domains: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"https://{_aws_host(domains)}/SimpleNotificationService-[0-9a-f]{{32}}\.pem")


@lru_cache(maxsize=16)
def _aws_subscribe_url(domains: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"https://{_aws_host(domains)}/\?(?P<query>[A-Za-z0-9%&=:._~+/-]+)")


def _aws_host(domains: tuple[str, ...]) -> str:
    return rf"sns\.{_AWS_REGION}\.(?:{'|'.join(re.escape(domain) for domain in domains)})"
