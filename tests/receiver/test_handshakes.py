"""SNS: its certificate is fetched over https once, its subscription confirmed by us, and only when authentic."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from schemas.source import Source
from tests.loopback_certificate import server_context
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, is_empty, now
from tests.waiting import stays, until
from worker.providers.vendors.amazon import sns
from worker.queue.rabbitmq import RabbitMQReader
from worker.samples.amazon_ses import CERTIFICATE_URL, AmazonSesSamples

_HOST = str(URL(CERTIFICATE_URL).host)


class _Resolver(AbstractResolver):
    """Every name is this machine, at the port of the test's server."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del port
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _SnsHost:
    """Speaks https as the host of SNS, with a certificate that only its own connector trusts."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.certificate = web.Response(status=503)
        self.confirmation_status = 200
        self.slow = asyncio.Event()
        self.slow.set()
        self._folder = folder
        self._runner: web.ServerRunner | None = None
        self._port = 0

    async def start(self) -> None:
        context, self._certificate_file = server_context(self._folder, _HOST)
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def connector(self, *, trusted: bool = True) -> aiohttp.TCPConnector:
        context = ssl.create_default_context(cafile=str(self._certificate_file) if trusted else None)
        return aiohttp.TCPConnector(resolver=_Resolver(self._port), ssl=context)

    def offer(self, pem: bytes) -> None:
        self.certificate = web.Response(body=pem)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        await self.slow.wait()
        if request.path.endswith(".pem"):
            offered = self.certificate
            return web.Response(status=offered.status, body=offered.body, headers=offered.headers)
        return web.Response(status=self.confirmation_status)


@pytest.fixture
async def sns_host(tmp_path: Path) -> AsyncIterator[_SnsHost]:
    host = _SnsHost(tmp_path)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture(scope="module")
def sender() -> AmazonSesSamples:
    return AmazonSesSamples()


@pytest.fixture
def unpinned(sender: AmazonSesSamples) -> Source:
    """A source that must fetch the certificate."""
    source = sender.source("ses")
    options = {name: value for name, value in source.options.items() if name != "pinned_certificates"}
    return msgspec.structs.replace(source, options=options)


async def test_one_fetch_of_the_certificate_serves_all_who_ask_at_once_and_all_later(
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    sns_host: _SnsHost,
    sender: AmazonSesSamples,
    unpinned: Source,
) -> None:
    sns_host.offer(sender.certificate_pem)
    sns_host.slow.clear()
    receiver = await start_receiver(sources=[unpinned], writer=rabbitmq_writer, connector=sns_host.connector())
    webhooks = sender.requests([bounce(number) for number in range(10)], now=now())
    answers = asyncio.gather(*(receiver.post(webhook, "ses") for webhook in webhooks))
    await until(lambda: sns_host.requests, "the certificate to be asked for")
    await stays(lambda: len(sns_host.requests) == 1, "nobody else asks for it", seconds=0.3)
    sns_host.slow.set()
    assert {status for status, _, _ in await answers} == {200}
    assert (await receiver.post(webhooks[0], "ses"))[0] == 200
    assert sns_host.requests == [URL(CERTIFICATE_URL).path]


async def test_a_certificate_that_cannot_be_had_means_later_and_is_asked_for_again(
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    sns_host: _SnsHost,
    sender: AmazonSesSamples,
    unpinned: Source,
) -> None:
    receiver = await start_receiver(sources=[unpinned], writer=rabbitmq_writer, connector=sns_host.connector())
    [webhook] = sender.requests([bounce()], now=now())
    elsewhere = {"Location": "https://sns.eu-west-1.amazonaws.com/other.pem"}
    for bad in (
        web.Response(status=503),
        web.Response(status=404),
        web.Response(status=302, headers=elsewhere),
        web.Response(body=b"<html>log in to the guest network</html>"),
        web.Response(body=sender.certificate_pem + b"x" * 20_000),
    ):
        sns_host.certificate = bad
        status, headers, _ = await receiver.post(webhook, "ses")
        assert (status, "Retry-After" in headers) == (503, True)
    assert len(sns_host.requests) == 5
    sns_host.offer(sender.certificate_pem)
    assert (await receiver.post(webhook, "ses"))[0] == 200


async def test_a_certificate_of_somebody_else_proves_nothing(
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    sns_host: _SnsHost,
    sender: AmazonSesSamples,
    unpinned: Source,
) -> None:
    sns_host.offer(AmazonSesSamples().certificate_pem)
    receiver = await start_receiver(sources=[unpinned], writer=rabbitmq_writer, connector=sns_host.connector())
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "ses"))[0] == 401
    assert rabbitmq_writer.parcels == []


async def test_a_host_whose_tls_certificate_is_not_trusted_is_not_believed(
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    sns_host: _SnsHost,
    sender: AmazonSesSamples,
    unpinned: Source,
) -> None:
    sns_host.offer(sender.certificate_pem)
    receiver = await start_receiver(
        sources=[unpinned], writer=rabbitmq_writer, connector=sns_host.connector(trusted=False)
    )
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "ses"))[0] == 503
    assert sns_host.requests == []


async def test_a_subscription_is_confirmed_once_by_us_and_queues_nothing(
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    rabbitmq_reader: RabbitMQReader,
    sns_host: _SnsHost,
    sender: AmazonSesSamples,
) -> None:
    receiver = await start_receiver(
        sources=[sender.source("ses")], writer=rabbitmq_writer, connector=sns_host.connector()
    )
    status, _, _ = await receiver.post(sender.confirmation(now=now()), "ses")
    assert status == 200
    [asked] = sns_host.requests
    assert "Action=ConfirmSubscription" in asked
    assert await is_empty(rabbitmq_reader)


async def test_a_confirmation_that_fails_means_later_so_that_sns_repeats_it(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, sns_host: _SnsHost, sender: AmazonSesSamples
) -> None:
    receiver = await start_receiver(
        sources=[sender.source("ses")], writer=rabbitmq_writer, connector=sns_host.connector()
    )
    sns_host.confirmation_status = 500
    handshake = sender.confirmation(now=now())
    assert (await receiver.post(handshake, "ses"))[0] == 503
    sns_host.confirmation_status = 200
    assert (await receiver.post(handshake, "ses"))[0] == 200


async def test_a_confirmation_of_an_unsubscription_is_never_followed(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, sns_host: _SnsHost, sender: AmazonSesSamples
) -> None:
    receiver = await start_receiver(
        sources=[sender.source("ses")], writer=rabbitmq_writer, connector=sns_host.connector()
    )
    farewell = sender.confirmation(now=now(), message_type=sns.UNSUBSCRIBE_CONFIRMATION)
    assert (await receiver.post(farewell, "ses"))[0] == 200
    assert sns_host.requests == []
    assert rabbitmq_writer.parcels == []


async def test_a_forged_confirmation_makes_us_ask_nobody(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, sns_host: _SnsHost, sender: AmazonSesSamples
) -> None:
    receiver = await start_receiver(
        sources=[sender.source("ses")], writer=rabbitmq_writer, connector=sns_host.connector()
    )
    elsewhere = sender.confirmation(now=now(), SubscribeURL="https://169.254.169.254/latest/meta-data/")
    strangers = AmazonSesSamples().confirmation(now=now())
    for forged in (elsewhere, strangers):
        assert (await receiver.post(forged, "ses"))[0] in {401, 403}
    assert sns_host.requests == []
