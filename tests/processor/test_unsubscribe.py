"""What was asked for by an unsubscribe link becomes a status, in the account that the token names."""

from collections.abc import Mapping
from datetime import timedelta

from schemas.envelope import Envelope, new_delivery_id
from schemas.source import Secret
from tests.processor.test_unknown_accounts import loads, process
from tests.schemas.feedback_events import START
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.policy.policy_file import recommended_policy
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import NAME, PATH, PROVIDER, source_of
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.providers.verdict import Accepted
from worker.providers.webhook_request import WebhookRequest
from worker.store.accounts import account_names
from worker.store.pool import WriterPool

SECRETS = (Secret("0123456789abcdef0123456789abcdef"),)
LINK = UnsubscribeLink(address="jane@example.org", list="newsletter", account="shop-7")
FORM: Mapping[str, str] = {"content-type": "application/x-www-form-urlencoded"}


def queued(body: bytes, *, link: UnsubscribeLink = LINK, after: timedelta = timedelta()) -> Envelope:
    """The request as the receiver queues it."""
    request = WebhookRequest(
        method="POST",
        path=f"{PATH}{UnsubscribeKeys(SECRETS).make(link)}",
        query={},
        headers=FORM,
        body=body,
        remote_address="192.0.2.1",
    )
    source = source_of(SECRETS)
    verdict = PROVIDER.bind(source).authenticate(request, now=START, certificates={})
    assert isinstance(verdict, Accepted)
    return Envelope(
        delivery_id=new_delivery_id(),
        source=NAME,
        provider=NAME,
        account=source.account,
        received_at=START + after,
        content_type=FORM["content-type"],
        headers={},
        body=verdict.body or b"",
        account_from=source.account_from,
    )


async def status(pool: WriterPool, account: str) -> tuple[str, list[str]]:
    report = await contact_report(
        pool,
        LINK.address,
        policies=Policies(recommended_policy()),
        now=START + timedelta(days=1),
        account=account,
    )
    assert report is not None
    return report.status, [change.new_status for change in report.history]


async def test_one_click_unsubscribes_once_however_often_it_comes(pool: WriterPool) -> None:
    writer = loads(pool)
    click = queued(b"List-Unsubscribe=One-Click")
    await process(writer, click, click)
    await process(writer, click)
    for seconds in (5, 600):
        await process(writer, queued(b"List-Unsubscribe=One-Click", after=timedelta(seconds=seconds)))
    assert await account_names(pool, limit=9) == ["shop-7"]
    assert await status(pool, "shop-7") == ("unsubscribed", ["unsubscribed"])
    assert await pool.fetchval("SELECT count(*) FROM entries") == 2


async def test_choices_of_the_page_add_up_to_the_strictest(pool: WriterPool) -> None:
    writer = loads(pool)
    link = UnsubscribeLink(address=LINK.address)
    for minute, choice in enumerate((b"fewer", b"list", b"commercial", b"never", b"list")):
        await process(writer, queued(b"choice=" + choice, link=link, after=timedelta(minutes=minute)))
    shown, history = await status(pool, "default")
    assert shown == "do_not_contact"
    assert history == ["do_not_contact", "declined_commercial", "unsubscribed"]


async def test_a_link_without_an_account_is_of_the_default_one(pool: WriterPool) -> None:
    await process(loads(pool), queued(b"choice=list", link=UnsubscribeLink(address=LINK.address, list="offers")))
    assert await pool.fetchval("SELECT account FROM contacts") == "default"
