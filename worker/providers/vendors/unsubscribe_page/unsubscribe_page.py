"""Reads requests by the link in a mail: the mail program's one click (RFC 8058), and the page's choices.

Sources cannot have this provider: the receiver takes these requests at `/u/TOKEN`, and the token proves whose they are.
The queued request is decrypted already, in JSON: reading it again needs no key.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct, structs

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind, Way
from worker.errors import UnreadablePayload
from worker.providers.bound_source import BoundSource
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, fit_text
from worker.providers.payload.multipart_payload import pick_any_form_pairs
from worker.providers.provider import Provider
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import TokenFault, UnsubscribeKeys, UnsubscribeLink
from worker.providers.verdict import Accepted, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

NAME = "unsubscribe_page"  # of the provider, and of its only source
PATH = "/u/"
ACCOUNT = "account"  # the `account_from` of the source

# -- How it authenticates ------------------------------------------------------------------------------------

# A form has one field. RFC 8058, 3.1: the body is the line of List-Unsubscribe-Post, in a form of either sort.
MOST_BODY_BYTES = 16 * 1024
ONE_CLICK_FIELD, ONE_CLICK_VALUE = "List-Unsubscribe", "One-Click"
CHOICE_FIELD = "choice"

_DETAILS: dict[TokenFault, str] = {
    TokenFault.MALFORMED: "this is no token, or one that was cut short: look at how the link stands in the mail",
    TokenFault.UNKNOWN_KEY: "the token was made with a secret that is not among unsubscribe.secrets: keep former ones "
    "there, because mails are years old when somebody leaves",
    TokenFault.FORGED: "the token was altered on the way, or made up",
    TokenFault.UNREADABLE: "the token was made with our secret, and does not hold what a token holds, such as an "
    "address: compare the script that makes tokens with docs/unsubscribe.md",
}


class Choice(StrEnum):
    """A choice of the person."""

    ONE_CLICK = "one_click"  # the mail program's own button
    LIST = "list"  # no more mail of this list
    COMMERCIAL = "commercial"  # nothing but receipts and notices
    NEVER = "never"  # no message at all, ever
    FEWER = "fewer"  # fewer messages of this list


# The page's, in the order of what they end.
PAGE_CHOICES = (Choice.FEWER, Choice.LIST, Choice.COMMERCIAL, Choice.NEVER)

# -- What it becomes -----------------------------------------------------------------------------------------

VOCABULARY: dict[str, tuple[Kind, Cause]] = {
    Choice.ONE_CLICK: (Kind.UNSUBSCRIBE, Cause.NONE),
    Choice.LIST: (Kind.UNSUBSCRIBE, Cause.NONE),
    Choice.COMMERCIAL: (Kind.DECLINES_COMMERCIAL, Cause.NONE),
    Choice.NEVER: (Kind.FORBIDS_CONTACT, Cause.NONE),
    Choice.FEWER: (Kind.PREFERS_FEWER, Cause.NONE),
}
_OF_THE_LIST = frozenset({Choice.ONE_CLICK, Choice.LIST, Choice.FEWER})


class UnsubscribeRequest(Struct, frozen=True, kw_only=True):
    """One request, as queued."""

    choice: Choice
    link: UnsubscribeLink


def source_of(secrets: tuple[Secret, ...]) -> Source:
    """The source of all requests by unsubscribe links. Each names its account itself."""
    return Source(name=NAME, provider=NAME, account_from=ACCOUNT, secrets=secrets)


class TokenProof(Struct, frozen=True, kw_only=True):
    """The token in the path proves everything: a body is read only with a genuine token."""

    keys: UnsubscribeKeys

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:  # noqa: ARG002 - tokens have no end
        """Why the token is refused."""
        link = self.keys.read(token_of(request.path))
        return refusal_of(link) if isinstance(link, TokenFault) else None

    def refuse(
        self,
        request: WebhookRequest,
        *,
        now: datetime,
        certificates: Mapping[str, bytes],  # noqa: ARG002 - of other proofs
    ) -> Refused | None:
        """Why the token is refused, for any body."""
        return self.refuse_head(request, now=now)


def token_of(path: str) -> str:
    """The token in the path of a request. A slash after it is a mistake in copying the link."""
    return path.removeprefix(PATH).rstrip("/")


def refusal_of(fault: TokenFault) -> Refused:
    """The refusal of a token, for the caller and the log."""
    return Refused(
        reason=fault.value,
        detail=_DETAILS[fault],
        http_status=404,
        remedy="Use the whole link of the mail, or write to its sender.",
    )


def tailor(bound: BoundSource) -> BoundSource:
    """The source whose secrets make the tokens that are let in.

    No account is created for a token: a script of the sender made it, and a mistake in that would keep the wish in an
    account that nobody asks about.
    """
    keys = UnsubscribeKeys(bound.source.secrets)
    source = structs.replace(bound.source, makes_accounts=False)

    def welcome(request: WebhookRequest) -> Verdict:
        link = keys.read(token_of(request.path))
        return refusal_of(link) if isinstance(link, TokenFault) else _read_choice(request, link)

    return structs.replace(
        bound, source=source, proof=TokenProof(keys=keys), welcome=welcome, unproven_bytes=MOST_BODY_BYTES
    )


def _read_choice(request: WebhookRequest, link: UnsubscribeLink) -> Verdict:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind not in _FORMS:
        return Refused(
            reason="no_form",
            detail=f"the body came as {kind[:_SHOWN_CHARACTERS]!r}, which is no form",
            http_status=415,
            remedy=f"Send List-Unsubscribe=One-Click as {' or '.join(_FORMS)} (RFC 8058).",
        )
    choice = choice_in(request.body, content_type)
    if choice is None:
        return Refused(
            reason="unknown_choice",
            detail="the body is neither List-Unsubscribe=One-Click nor a choice of our page",
            http_status=400,
            remedy="Post List-Unsubscribe=One-Click as a form (RFC 8058).",
        )
    asked = UnsubscribeRequest(choice=choice, link=link)
    return Accepted(body=_encode(asked), answer=_encode({"noted": choice}))


def choice_in(body: bytes, content_type: str) -> Choice | None:
    """The choice in the form; None without one."""
    try:
        pairs = pick_any_form_pairs(
            body.strip(), content_type or _USUAL_FORM, "unsubscribe request", (ONE_CLICK_FIELD, CHOICE_FIELD)
        )
    except UnreadablePayload:
        return None
    fields = {name: value.decode("utf-8", "replace").strip() for name, value in pairs}
    if fields.get(ONE_CLICK_FIELD, "").lower() == ONE_CLICK_VALUE.lower():
        return Choice.ONE_CLICK
    chosen = fields.get(CHOICE_FIELD, "")
    return Choice(chosen) if chosen in PAGE_CHOICES else None


_USUAL_FORM = "application/x-www-form-urlencoded"
_FORMS = (_USUAL_FORM, "multipart/form-data")
_SHOWN_CHARACTERS = 60

# -- How it is read ------------------------------------------------------------------------------------------

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(UnsubscribeRequest).decode


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of a request; raises UnreadablePayload.

    The same request within a second is the same event: mail programs and impatient people repeat it. Later it is
    another event, because the person may have signed up again in between: then the later request must count.
    """
    try:
        asked: UnsubscribeRequest = _decode(envelope.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadablePayload(f"a request by an unsubscribe link: {error}") from error
    link, choice = asked.link, asked.choice
    kind, cause = VOCABULARY[choice]
    second = envelope.received_at.replace(microsecond=0).isoformat()
    said = (link.account, link.channel, link.address, link.list, link.message_id, link.campaign, choice)
    return [
        new_event(
            envelope,
            envelope.body,
            kind=kind,
            cause=cause,
            key=(*said, second),
            address=link.address,
            vendor_event=choice,
            vendor_time=None,
            message_id=fit_text(link.message_id, MESSAGE_ID_LIMIT) if link.message_id else None,
            scope=link.list if link.list and choice in _OF_THE_LIST else None,
            way=Way.MAIL_CLIENT if choice is Choice.ONE_CLICK else Way.FOOTER_LINK,
            metadata={"campaign": link.campaign} if link.campaign else None,
            channel=link.channel,
            campaign=link.campaign or None,
        )
    ]


PROVIDER = Provider(
    name=NAME,
    title="Unsubscribe links",
    documentation="https://www.rfc-editor.org/rfc/rfc8058",
    proof="the token of the link",
    secret_help="a long random text for unsubscribe.secrets, made with `openssl rand -hex 32`",
    vocabulary=VOCABULARY,
    parse=parse,
    own_proof=True,
    account_paths={ACCOUNT: "link.account"},
    tailor=tailor,
)
