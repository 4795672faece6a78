"""Where a vendor signs nothing, its webhooks show a secret: the right one gets in, another or none does not."""

import pytest

from schemas.source import Secret, Source
from tests.providers.sample_events import NOW
from worker.providers.registry import PROVIDERS
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import basic, bearer, post

SECRET = "user:s3cret"

# Provider, what its source's `authentication` says, and how the secret is shown then.
WAYS = [
    ("brevo", "", "basic"),
    ("brevo", "bearer", "bearer"),
    ("elastic_email", "basic", "basic"),
    ("greenarrow", "", "basic"),
    ("greenarrow", "query", "query"),
    ("kumomta", "", "bearer"),
    ("kumomta", "basic", "basic"),
    ("mailjet", "", "basic"),
    ("mailjet", "query", "query"),
    ("powermta", "", "bearer"),
    ("powermta", "basic", "basic"),
    ("smtp2go", "bearer", "bearer"),
    ("smtp2go", "query", "query"),
    ("stalwart", "basic", "basic"),
    ("stalwart", "bearer", "bearer"),
]


def showing(provider: str, way: str, secret: str) -> WebhookRequest:
    if way == "query":
        return post(provider, b"{}", {}, query={"token": secret})
    return post(provider, b"{}", basic(secret) if way == "basic" else bearer(secret))


@pytest.mark.parametrize(("name", "authentication", "way"), WAYS)
def test_the_right_secret_gets_in_and_another_or_none_does_not(name: str, authentication: str, way: str) -> None:
    provider = PROVIDERS[name]
    source = Source(name="first", provider=name, authentication=authentication, secrets=(Secret(SECRET),))
    assert provider.check_source(source) == []
    for request, expected in (
        (showing(name, way, SECRET), Accepted),
        (showing(name, way, SECRET[:-1]), Refused),
        (showing(name, way, SECRET + "x"), Refused),
        (post(name, b"{}", {}), Refused),
    ):
        assert isinstance(provider.bind(source).authenticate(request, now=NOW, certificates={}), expected)
