"""Mail that an MTA posts: the raw message as the body, and its SMTP envelope in two headers.

`bouncekeeper mailbox` queues the mail of an IMAP mailbox under this provider too, with more headers. No HTTP request
can set those, because they are not among `kept_headers`.
"""

from functools import partial

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken, bearer_token
from worker.providers.bound_source import BoundSource, Parse
from worker.providers.mail.imap_options import IMAP_OPTIONS, check_imap_options, has_mailbox, imap_mailbox
from worker.providers.mail.mail_provider import MailProvider
from worker.providers.mail.options import MAIL_OPTIONS
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload.vendor_time import from_iso

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.postfix.org/pipe.8.html

TOKEN_HEADER = "x-bouncekeeper-secret"  # noqa: S105 - the name of a header

# -- How it is read ------------------------------------------------------------------------------------------

MAIL_CONTENT_TYPE = "message/rfc822"
RECIPIENT_HEADER = "x-envelope-to"
SENDER_HEADER = "x-envelope-from"

# Only the mailbox process writes these: the domains whose signature it verified, with blanks between them, and when the
# mailbox received the mail (ISO 8601).
DKIM_PASS_HEADER = "x-bouncekeeper-dkim-pass"  # noqa: S105 - the name of a header
DELIVERED_AT_HEADER = "x-bouncekeeper-delivered-at"


def needs_secret(source: Source) -> bool:
    """False for a source that has a mailbox: nobody can then post to it."""
    return not has_mailbox(source)


def fetches_with_dkim(source: Source) -> bool:
    """True if the mailbox process verifies signatures for this source."""
    mailbox = imap_mailbox(source)
    return mailbox is not None and mailbox.verify_dkim


def tailor(bound: BoundSource) -> BoundSource:
    """Dates fetched mail by its arrival in the mailbox."""
    return msgspec.structs.replace(bound, parse=partial(_parse_as_delivered, parse=bound.parse))


def _parse_as_delivered(envelope: Envelope, *, parse: Parse) -> list[FeedbackEvent]:
    """The events of the mail, with the time when the mailbox received it. Raises UnreadablePayload."""
    delivered_at = from_iso(envelope.headers.get(DELIVERED_AT_HEADER))
    if delivered_at is not None and delivered_at < envelope.received_at:
        # Mail that is fetched again after a crash gets the same time, and mail of last year stays old.
        envelope = msgspec.structs.replace(envelope, received_at=delivered_at)
    return parse(envelope)


def unwrap(envelope: Envelope) -> ReceivedMail:
    """The body is the mail."""
    if not envelope.body.strip():
        raise UnreadablePayload("mail: the body is empty: post the message itself, with its headers")
    return ReceivedMail(
        message=envelope.body,
        envelope_recipient=envelope_address(envelope.headers.get(RECIPIENT_HEADER)),
        envelope_sender=envelope_address(envelope.headers.get(SENDER_HEADER)),
        dkim_pass=tuple(envelope.headers.get(DKIM_PASS_HEADER, "").split()),
    )


def envelope_address(written: str | None) -> str | None:
    """The address of an SMTP envelope; "" for the null sender in any form, None if there is no address."""
    if written is None:
        return None
    address = written.strip().removeprefix("<").removesuffix(">").strip()
    # Postfix's pipe(8) writes this for the null sender by default.
    return "" if address.upper() == "MAILER-DAEMON" else address


PROVIDER = MailProvider(
    name="mail",
    title="Mail (ARF, DSN)",
    documentation="https://www.rfc-editor.org/rfc/rfc5965",
    proof="user and password, a bearer token, or a header",
    kept_headers=frozenset({RECIPIENT_HEADER, SENDER_HEADER}),
    secret_help=(
        "a user and a long password of your own, written user:password (a token alone with authentication = "
        '"bearer" or "header")'
    ),
    schemes={
        "": BasicCredentials(),
        "bearer": bearer_token(),
        "header": HeaderToken(header=TOKEN_HEADER),
    },
    options=(*MAIL_OPTIONS, *IMAP_OPTIONS),
    needs_secret=needs_secret,
    believes_dkim=fetches_with_dkim,
    unwrap=unwrap,
    tailor=tailor,
    check_also=check_imap_options,
)
