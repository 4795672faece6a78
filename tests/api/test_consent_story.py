"""A contact's consent from its first day on, as docs/policy.md tells it: over HTTP, with what is allowed then."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession
from msgspec.structs import replace

from schemas.vocabulary import Kind, Way
from tests.api.conftest import Store
from tests.api.test_decisions import JANE, LIFT, get, operator, post
from tests.schemas.feedback_events import make_event

__all__ = ["operator"]  # the fixture
CLASSES = ("marketing", "one_to_one", "transactional")


async def allowed(client: ClientSession) -> list[str]:
    """The classes of mail that may be sent, by three questions; each answer names the same ones as forbidden."""
    may = []
    for mail_class in CLASSES:
        _, answer = await post(client, "/v1/check", {"addresses": ["jane@example.org"], "mail_class": mail_class})
        [result] = answer["results"]
        assert result["allowed"] == (mail_class not in result["forbids"])
        may += [mail_class] if result["allowed"] else []
    report = await get(client, JANE)
    assert report["forbids"] == [mail_class for mail_class in CLASSES if mail_class not in may]
    return may


async def test_non_marketable_confirmed_declined_never_again_and_back_by_a_new_form(
    client: ClientSession, store: Store, operator: dict[str, str]
) -> None:
    async def decide(body: dict[str, Any]) -> dict[str, Any]:
        status, answer = await post(client, f"{JANE}/decisions", body, headers=operator)
        assert status == 200
        return answer

    # A plugin brings the contact in, and nobody knows of a permission: one-to-one mail goes, broadcasts do not.
    await decide({"kind": "added", "permission": "unknown"})
    assert await allowed(client) == ["one_to_one", "transactional"]
    # She confirms from her mailbox.
    await decide({"kind": "opted_in", "by_contact": True, "strength": "double", "proof": {"source": "plugin"}})
    assert await allowed(client) == ["marketing", "one_to_one", "transactional"]
    # She declines commercial mail, and still gets receipts.
    await decide({"kind": "declined_commercial", "by_contact": True, "way": "form"})
    assert await allowed(client) == ["transactional"]
    # By the button of her mail program she says never again.
    now = datetime.now(UTC)
    event = make_event(Kind.FORBIDS_CONTACT, way=Way.MAIL_CLIENT)
    await store([replace(event, occurred_at=now, received_at=now)])
    assert await allowed(client) == []
    # Nothing of staff brings her back.
    for body in (LIFT, {"kind": "opted_in", "note": "on the phone"}, {"kind": "added", "permission": "stated"}):
        answer = await decide(body)
        assert answer["made"] == 0
        assert await allowed(client) == []
    assert (await decide(LIFT))["skipped_addresses"][0]["remedy"] == "Only a new opt-in by the person does."
    # A new form does.
    await decide(
        {"kind": "opted_in", "by_contact": True, "strength": "single", "proof": {"source": "shop", "form": "3"}}
    )
    assert await allowed(client) == ["marketing", "one_to_one", "transactional"]
