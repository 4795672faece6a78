"""`sources test`: checks a source from its URL to a contact's status, with a forged webhook and a signed one."""

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import Lane
from schemas.source import Source
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.listeners import receiver_url
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import seconds_argument, settings_of
from worker.providers.mail.imap_options import can_be_posted_to
from worker.settings.tree import Settings

if TYPE_CHECKING:
    import aiohttp

    from schemas.feedback_event import FeedbackEvent
    from worker.providers.webhook_request import WebhookRequest
    from worker.store.pool import Pool

DESCRIPTION = """\
Checks each source from its URL to a contact's status. It posts a forged webhook to the running receiver, which
must refuse it. Then it posts a sample, signed with the source's own secret, about an address that nobody can
have (…@bouncekeeper.invalid, or +999…), and waits until the event is stored and the contact has its status.
If only the vendor can sign (SendGrid, Amazon SES …), or if mail is fetched from a mailbox, the sample goes
straight to the queue instead.

examples:
  bouncekeeper sources test
  bouncekeeper sources test sendgrid --url https://mail.example.org
  bouncekeeper sources test --forged-only
"""

# The forgery needs some proof: Vonage repeats its own unsigned webhooks, so its provider answers 503 to those.
FORGED_BODY, FORGED_HEADERS = b"{}", {"content-type": "application/json", "authorization": "Bearer forged"}
REFUSED_STATUSES = frozenset({400, 401, 403, 406})

_NEEDS = ("receiver", "sources")
_TIMEOUT_SECONDS = 15.0
_LOOK_EVERY_SECONDS = 0.1


class SourceResult(Struct, kw_only=True):
    """What the test of one source found."""

    name: str
    provider: str
    well: bool = True
    http_status: int | None = None  # of the last answer; 0 without an answer
    steps: list[tuple[str, str]] = []  # each step and its outcome

    def add(self, step: str, outcome: str, *, well: bool = True) -> None:
        """Adds a step. If `well` is False, the source has failed the test."""
        self.steps.append((step, outcome))
        self.well = self.well and well

    @property
    def unreachable(self) -> bool:
        """True if the URL did not answer."""
        return self.http_status == 0


def configure(parser: ArgumentParser) -> None:
    """The arguments of `sources test`."""
    parser.description = DESCRIPTION
    parser.add_argument("names", nargs="*", metavar="SOURCE", help="only these sources")
    parser.add_argument("--url", help="the URL by which ESPs reach the receiver (default: its own address)")
    parser.add_argument("--forged-only", action="store_true", help="sends no sample, so that nothing is stored")
    parser.add_argument(
        "--wait",
        type=seconds_argument,
        default=30.0,
        metavar="SECONDS",
        help="how long to follow a sample (default %(default)s)",
    )


def run(arguments: Namespace) -> int:
    """Tests the sources. Raises ImpossibleSetting, StoreUnavailable."""
    settings = settings_of(arguments, needs=_NEEDS)
    known = {source.name: source for source in settings.sources}
    if unknown := [name for name in arguments.names if name not in known]:
        detail = f"there is no source {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        print_json({"sources": [], "detail": detail}) if arguments.json else print_line(detail)
        return ExitCode.NO
    if not arguments.forged_only:
        settings = settings_of(arguments, needs=(*_NEEDS, "postgres"))
    chosen = [known[name] for name in arguments.names] if arguments.names else list(settings.sources)
    url = (arguments.url or receiver_url(settings)).rstrip("/")
    results = asyncio.run(_test(url, chosen, settings, arguments))
    if arguments.json:
        print_json({"url": url, "sources": [_as_json(result) for result in results]})
    if any(result.unreachable for result in results):
        return ExitCode.UNAVAILABLE
    return ExitCode.OK if all(result.well for result in results) else ExitCode.NO


async def _test(url: str, sources: Sequence[Source], settings: Settings, arguments: Namespace) -> list[SourceResult]:
    import aiohttp  # noqa: PLC0415 - costs time that --help has not

    results = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session:
        for source in sources:
            trial = _Trial(session, url, source, settings)
            await trial.post_forgery()
            if not arguments.forged_only and not trial.result.unreachable:
                await trial.follow_sample(wait_seconds=arguments.wait)
            if not arguments.json:
                _tell(trial.result)
            results.append(trial.result)
    return results


class _Trial:
    """The test of one source, step by step."""

    def __init__(self, session: "aiohttp.ClientSession", url: str, source: Source, settings: Settings) -> None:
        from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - costs time that --help has not

        self._session = session
        self._target = f"{url}/webhooks/{source.name}"
        self._source = source
        self._settings = settings
        self._provider = PROVIDERS[source.provider]
        self.result = SourceResult(name=source.name, provider=self._provider.title)

    async def post_forgery(self) -> None:
        """A forged request must be refused."""
        add, step = self.result.add, "forged webhook"
        if self._source.authentication == "none":
            # An open source would accept the forgery, so only the sample is sent there.
            add(
                step,
                'not sent: the source is open, anybody may post; give it a secret and remove authentication = "none"',
                well=False,
            )
            return
        status = await self._post(step, FORGED_BODY, FORGED_HEADERS, {})
        if status in REFUSED_STATUSES:
            add(step, f"refused ({status})")
        elif status in {404, 405}:
            detail = f"{self._target} answers {status}: another program, or a receiver without this source"
            add(step, detail, well=False)
        elif 0 < status < 300:  # noqa: PLR2004 - the 2xx class
            add(step, f"accepted ({status}): {self._target} does not lead to this receiver", well=False)
        elif status:
            add(step, f"{self._target} answers {status}: see the receiver's log", well=False)

    async def follow_sample(self, *, wait_seconds: float) -> None:
        """A signed sample must be accepted, stored, and become its contact's status."""
        from worker.commands.support.database import opened_database  # noqa: PLC0415 - all of these cost time that --help has not
        from worker.processor.parsing import events_of  # noqa: PLC0415
        from worker.samples.speaking import sample_webhook  # noqa: PLC0415

        sample = sample_webhook(self._source, self._provider, now=datetime.now(UTC))
        envelope = _envelope(self._source, sample.request, self._provider.kept_headers)
        event = next((event for event in events_of(envelope, self._provider.bind(self._source)) if event.address), None)
        if event is None:
            self.result.add("sample", f"not sent: {self._provider.no_sample}")
            return
        async with opened_database(self._settings) as pool:
            if sample.signed:
                if not await self._post_sample(sample.request):
                    return
            else:
                await _queue(self._settings, envelope)
                self.result.add("sample", _why_past_the_receiver(self._source))
            await _follow(pool, event, self._settings, self.result, wait_seconds=wait_seconds)

    async def _post_sample(self, request: "WebhookRequest") -> bool:
        status = await self._post("signed sample", request.body, request.headers, request.query)
        if status == self._provider.success_status:
            self.result.add("signed sample", f"accepted ({status})")
            return True
        if status:
            detail = f"{self._target} answers {status}: see the receiver's log"
            self.result.add("signed sample", detail, well=False)
        return False

    async def _post(self, step: str, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> int:
        """The answer's status; 0 without an answer."""
        import aiohttp  # noqa: PLC0415 - costs time that --help has not

        try:
            async with self._session.post(self._target, data=body, headers=headers, params=query) as answer:
                self.result.http_status = answer.status
        except (aiohttp.ClientError, OSError) as error:
            self.result.http_status = 0
            detail = f"{self._target} cannot be reached ({error}): start the receiver, or give --url"
            self.result.add(step, detail, well=False)
        return self.result.http_status


def _why_past_the_receiver(source: Source) -> str:
    if not can_be_posted_to(source):
        return "queued directly, because nobody can post here; `mailbox --dry-run` tests the mailbox"
    return "queued directly, because only the vendor can sign; the vendor's own test button tests the signature"


def _envelope(source: Source, request: "WebhookRequest", kept_headers: frozenset[str]) -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source=source.name,
        provider=source.provider,
        account=source.account,
        received_at=datetime.now(UTC),
        content_type=request.headers.get("content-type", ""),
        headers={name: value for name, value in request.headers.items() if name in kept_headers},
        body=request.body,
        account_from=source.account_from,
    )


async def _queue(settings: Settings, envelope: Envelope) -> None:
    from worker.queue.opening import open_writer  # noqa: PLC0415 - costs time that --help has not

    writer = await open_writer(settings, ends_when_refused=True)
    try:
        await writer.put(encode_parcel([encode_envelope(envelope)]), Lane(source=envelope.source))
    finally:
        await writer.close()


async def _follow(
    pool: "Pool", event: "FeedbackEvent", settings: Settings, result: SourceResult, *, wait_seconds: float
) -> None:
    from worker.contacts.policies import Policies  # noqa: PLC0415
    from worker.contacts.report import contact_report  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.store.contact_lookup import find_contact  # noqa: PLC0415
    from worker.store.stored_entries import stored_entries  # noqa: PLC0415

    address = event.address or ""
    started = time.monotonic()
    while time.monotonic() - started < wait_seconds:
        row = await find_contact(pool, address, account=event.account, channel=event.channel)
        if row is not None and any(one.event_key == event.event_key for one in await stored_entries(pool, row.id)):
            result.add("event", f"stored after {time.monotonic() - started:.1f} s: {event.kind} ({event.cause})")
            report = await contact_report(
                pool,
                address,
                policies=Policies(settings.policy),
                now=datetime.now(UTC),
                account=event.account,
                channel=event.channel,
            )
            if report is not None:
                result.add("status", f"{address} is {report.status}: {report.sentence}")
            return
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    result.add(
        "event",
        f"not stored after {wait_seconds:g} s: check that a processor runs, and see `bouncekeeper dead-letters list`",
        well=False,
    )


def _tell(result: SourceResult) -> None:
    print_line(f"{result.name} ({result.provider}): {'well' if result.well else 'NOT WELL'}", style="bold")
    for step, outcome in result.steps:
        print_line(f"  {step:<14}  {outcome}")


def _as_json(result: SourceResult) -> dict[str, object]:
    return {
        "name": result.name,
        "provider": result.provider,
        "well": result.well,
        "http_status": result.http_status,
        "steps": [{"step": step, "outcome": outcome} for step, outcome in result.steps],
    }
