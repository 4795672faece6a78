"""What Haraka's plugin reports, and that the plugin of the page reports it."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.docs.pages import REPOSITORY, snippets_of
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.haraka import PROVIDER
from worker.providers.verdict import Accepted
from worker.providers.webhook_request import WebhookRequest
from worker.samples.haraka import HarakaSamples, sample_values
from worker.samples.posting import post

SAYABLE = {Kind.DELIVERED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}


class TestHaraka(BatchConformance):
    provider_name = "haraka"
    make_sender = HarakaSamples
    event_field = "hook"
    told_at_least = ("hook", "recipient")
    kinds = tuple(pair for pair in ALL_KINDS if pair[0] in SAYABLE)
    signs_body = False


def read(**other: Any) -> FeedbackEvent:
    (event,) = parse_request(PROVIDER, HarakaSamples().posted([sample_values(sample()) | other]))
    return event


@pytest.mark.parametrize(
    ("hook", "reply", "gave_up", "kind", "cause"),
    [
        ("delivered", "250 OK", False, Kind.DELIVERED, Cause.NONE),
        ("deferred", "452 4.2.2 mailbox full", False, Kind.DEFERRED, Cause.MAILBOX_FULL),
        ("bounce", "550 5.1.1 no such user", False, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("bounce", "554 5.7.1 listed on a blocklist", False, Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("bounce", "452 4.2.2 mailbox full", True, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("bounce", "Too many failures", False, Kind.SOFT_BOUNCE, Cause.EXPIRED),
        ("bounce", "Too many failures (452 4.2.2 mailbox full)", False, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("bounce", "Tried too often", True, Kind.SOFT_BOUNCE, Cause.EXPIRED),
        ("bounce", "", False, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    ],
)
def test_the_hook_and_the_reply_say_what_happened(
    hook: str,
    reply: str,
    gave_up: bool,  # noqa: FBT001 - a parameter of pytest's
    kind: Kind,
    cause: Cause,
) -> None:
    event = read(hook=hook, reply=reply, gave_up=gave_up, smtp_code=None, enhanced_status=None)
    assert (event.kind, event.cause, event.recognised) == (kind, cause, True)


def test_a_status_that_haraka_hardened_when_it_gave_up_is_not_believed() -> None:
    event = read(hook="bounce", smtp_code=450, enhanced_status="5.1.1", reply="try later", gave_up=True)
    assert (event.kind, event.enhanced_status) == (Kind.SOFT_BOUNCE, None)


def test_attempts_and_recipients_are_distinguished() -> None:
    told: list[dict[str, Any]] = [
        {},
        {"failures": 1},
        {"id": "2"},
        {"hook": "deferred"},
        {"recipient": "x@example.org"},
    ]
    assert len({read(**other).event_key for other in told}) == len(told)
    assert read().event_key == read(time="2026-03-04T10:00:00Z").event_key
    assert read(id=None).event_key != read(id=None, time="2026-03-04T10:00:00Z").event_key


def test_variables_of_the_operators_own_are_kept() -> None:
    event = read(metadata={"customer": "7"}, tags=["spring"])
    assert (event.metadata, event.tags) == ({"customer": "7"}, ("spring",))
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "news.example.com"


# -- the plugin ----------------------------------------------------------------------------------------------

# Haraka as far as the plugin sees it: it calls the hooks one after the other, and then lets the plugin post.
HARNESS = """
const plugin = require('./bouncekeeper.js')
const fs = require('node:fs')
const [url, spool] = process.argv.slice(2)
plugin.config = { get: () => ({ main: { url, secret: 's3cret', spool, seconds: '60' } }) }
plugin.logerror = (words) => console.log(words)
plugin.register()
const rcpt = (address, told) => ({ address: () => address, ...told })
const mail_from = rcpt('bounces@news.example.com')
const hmail = (uuid, ...rcpt_to) => ({ todo: { uuid, rcpt_to, mail_from }, num_failures: 1 })
const call = (hook, mail, params) => new Promise((resolve) => plugin[hook](resolve, mail, params))
const refused = rcpt('gone@example.org', {
  dsn_smtp_code: 550, dsn_status: '5.1.1', dsn_smtp_response: 'no such user',
  dsn_remote_mta: 'mx1.example.org' })
const slow = rcpt('slow@example.org', {})
const failure = Object.assign(new Error('Tried too often'), { bounced_rcpt: [refused], deferred_rcpt: [slow] })
const main = async () => {
  const ok = rcpt('ok@example.org')
  await call('hook_delivered', hmail('A.1', ok), ['mx', '192.0.2.1', '250 queued', 1, 25, 'SMTP', [ok]])
  await call('hook_deferred', hmail('B.1', rcpt('full@example.org')), { delay: 60, err: '452 4.2.2 mailbox full' })
  await call('hook_bounce', hmail('C.1', refused, slow), failure)
  await call('hook_bounce', hmail('D.1', rcpt('odd@example.org')), new Error('550 5.1.1 user unknown'))
  const busy = rcpt('busy@example.org', { dsn_smtp_code: 450, dsn_status: '5.1.1', dsn_smtp_response: 'try later' })
  await call('hook_bounce', hmail('E.1', busy), new Error('Too many failures (Upstream error: 450 4.1.1 try later)'))
  await plugin.post_reports()
  console.log(`kept ${fs.readdirSync(spool).length}`)
  const read = fs.promises.readFile
  fs.promises.readFile = async (file) => { // another process takes the first file just before
    fs.promises.readFile = read
    fs.renameSync(file, `${file}.taken`)
    return read(file)
  }
  await plugin.post_reports()
  const taken = fs.readdirSync(spool)
  for (const name of taken) fs.renameSync(`${spool}/${name}`, `${spool}/${name.replace('.taken', '')}`)
  console.log(`kept ${taken.length}`)
  await plugin.post_reports()
  console.log(`kept ${fs.readdirSync(spool).length}`)
  plugin.shutdown()
}
main()
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="the plugin needs Node")
def test_the_plugin_keeps_reports_until_they_are_taken_and_they_are_read_as_what_they_were(tmp_path: Path) -> None:
    (plugin,) = (s.text for s in snippets_of(REPOSITORY / "docs/providers/haraka.md") if s.language == "javascript")
    (tmp_path / "bouncekeeper.js").write_text(plugin)
    (tmp_path / "harness.js").write_text(HARNESS)
    requests: list[WebhookRequest] = []

    class Busy(BaseHTTPRequestHandler):
        """Refuses the first request, as a receiver does that has no broker."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append(post("haraka", body, headers, content_type=headers["content-type"]))
            self.send_response(503 if len(requests) == 1 else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        done = subprocess.run(
            ["node", "harness.js", f"http://127.0.0.1:{server.server_port}/webhooks/haraka", str(tmp_path / "spool")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 0, done.stderr
    refusal, first, second, third = done.stdout.splitlines()
    assert "answered 503" in refusal
    assert (first, second, third) == ("kept 5", "kept 1", "kept 0")
    source = Source(name="h", provider="haraka", secrets=(Secret("s3cret"),))
    events = []
    for request in requests[1:]:
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Accepted)
        events += parse_request(PROVIDER, request)
    assert {event.address: (event.kind, event.cause) for event in events} == {
        "ok@example.org": (Kind.DELIVERED, Cause.NONE),
        "full@example.org": (Kind.DEFERRED, Cause.MAILBOX_FULL),
        "gone@example.org": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        "slow@example.org": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
        "odd@example.org": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        "busy@example.org": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    }
    given_up = {event.address for event in events if event.vendor_event == "bounce/gave_up"}
    assert given_up == {"slow@example.org", "busy@example.org"}
    assert json.loads(events[0].raw)["sender"] == "bounces@news.example.com"
    hosts = {event.address: json.loads(event.raw)["remote_host"] for event in events}
    assert (hosts["gone@example.org"], hosts["ok@example.org"]) == ("mx1.example.org", None)
    assert requests[0].body == requests[-1].body
