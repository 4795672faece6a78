"""One-click unsubscribes among the drill's webhooks, and whether each was in effect once.

An event of a click is dated by its arrival, so that nobody can say beforehand what its key is: it is recognised by
address and message.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import Kind, Way
from tests.faults.workload import Webhook
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import NAME, PATH
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.providers.webhook_request import WebhookRequest

FORMER_SECRET = Secret("the secret of the year before that is kept")
SECRETS = (Secret("the secret of the drill's unsubscribe links"), FORMER_SECRET)
_WEBHOOKS_PER_CLICK = 9
LIST = "newsletter"
_STRANGER_SHARE = 0.5  # of whom nothing else is ever heard
_HEADERS = {"content-type": "application/x-www-form-urlencoded"}


def with_clicks(webhooks: Sequence[Webhook], *, seed: int) -> list[Webhook]:
    """The webhooks, mixed with clicks of some of their contacts and of others; a half of the links are years old."""
    chance = random.Random(seed)
    known = sorted({event.address for webhook in webhooks for event in webhook.events if event.address})
    keys = [UnsubscribeKeys(SECRETS), UnsubscribeKeys((FORMER_SECRET,))]
    mixed = list(webhooks)
    for number in range(len(webhooks) // _WEBHOOKS_PER_CLICK):
        is_stranger = not known or chance.random() < _STRANGER_SHARE
        address = f"clicker{number}@clicks.example" if is_stranger else chance.choice(known)
        link = UnsubscribeLink(address=address, list=LIST, message_id=f"click-{number}@drill.example")
        mixed.append(_click(link, chance.choice(keys)))
    chance.shuffle(mixed)
    return mixed


def _click(link: UnsubscribeLink, keys: UnsubscribeKeys) -> Webhook:
    request = WebhookRequest(
        method="POST",
        path=f"{PATH}{keys.make(link)}",
        query={},
        headers=_HEADERS,
        body=b"List-Unsubscribe=One-Click",
        remote_address="",
    )
    return Webhook(source=NAME, request=request, events=(), click=link)


def click_events(entries: Collection[object]) -> list[FeedbackEvent]:
    """The events of clicks among what is stored."""
    return [entry for entry in entries if isinstance(entry, FeedbackEvent) and entry.provider == NAME]


def judge_clicks(
    webhooks: Sequence[Webhook],
    accepted: Collection[int],
    stored: Sequence[FeedbackEvent],
    changes: Mapping[str, int],
) -> list[str]:
    """What was promised of clicks and does not hold. `changes` are the lines of each contact's history, by address."""
    broken = []
    links = {number: link for number, webhook in enumerate(webhooks) if (link := webhook.click) is not None}
    posted = {(link.address, link.message_id) for link in links.values()}
    promised = {(links[number].address, links[number].message_id) for number in accepted if number in links}
    in_effect = {(event.address, event.message_id) for event in stored if _is_as_posted(event)}
    if lost := promised - in_effect:
        broken.append(f"{len(lost)} one-click unsubscribes were answered 200 and are not in effect")
    if invented := [event for event in stored if (event.address, event.message_id) not in posted]:
        broken.append(f"{len(invented)} one-click unsubscribes are stored that nobody sent")
    if wrong := [event for event in stored if not _is_as_posted(event)]:
        broken.append(f"{len(wrong)} one-click unsubscribes are stored as something else")
    seconds = Counter(
        (event.address, event.message_id, event.occurred_at.replace(microsecond=0)) for event in stored
    )  # a click in another second is another one
    if twice := [key for key, count in seconds.items() if count > 1]:
        broken.append(f"{len(twice)} one-click unsubscribes are stored twice")
    others = {event.address for webhook in webhooks for event in webhook.events}
    only_clicked = {address for address, _ in in_effect if address is not None} - others
    if uneven := [address for address in only_clicked if changes.get(address, 0) != 1]:
        broken.append(f"{len(uneven)} contacts who only clicked have not exactly one change of status")
    return broken


def _is_as_posted(event: FeedbackEvent) -> bool:
    return (event.kind, event.scope, event.way) == (Kind.UNSUBSCRIBE, LIST, Way.MAIL_CLIENT)
