"""What a receiving server typically says when it refuses a message, by cause."""

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.samples.sample import SampleEvent

_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED})


class ServerReply(Struct, frozen=True, kw_only=True):
    """One refusal as a server words it."""

    smtp_code: int
    enhanced_status: str
    text: str

    @property
    def line(self) -> str:
        """The reply as it stands in an SMTP conversation."""
        if self.text.startswith(str(self.smtp_code)):
            return self.text
        return f"{self.smtp_code} {self.enhanced_status} {self.text}"


def _reply(smtp_code: int, enhanced_status: str, text: str) -> ServerReply:
    return ServerReply(smtp_code=smtp_code, enhanced_status=enhanced_status, text=text)


REPLIES: dict[Cause, ServerReply] = {
    Cause.MAILBOX_DOES_NOT_EXIST: _reply(550, "5.1.1", "user unknown"),
    Cause.INVALID_ADDRESS: _reply(501, "5.1.3", "bad recipient address syntax"),
    Cause.MAILBOX_OWNER_CHANGED: _reply(550, "5.7.17", "mailbox owner has changed"),
    Cause.MAILBOX_DISABLED: _reply(550, "5.2.1", "this account is disabled"),
    Cause.MAILBOX_FULL: _reply(552, "5.2.2", "mailbox full"),
    Cause.DOMAIN_DOES_NOT_EXIST: _reply(550, "5.1.2", "domain does not exist"),
    Cause.DOMAIN_ACCEPTS_NO_MAIL: _reply(556, "5.1.10", "recipient domain has a null MX"),
    Cause.RECIPIENT_RESTRICTED: _reply(550, "5.7.1", "recipient accepts mail from internal senders only"),
    Cause.SERVER_UNAVAILABLE: _reply(451, "4.3.2", "system not accepting network messages"),
    Cause.CONNECTION_FAILED: _reply(421, "4.4.1", "connection timed out"),
    Cause.DNS_FAILURE: _reply(451, "4.4.3", "temporary DNS failure"),
    Cause.GREYLISTED: _reply(450, "4.2.0", "greylisted, please try again later"),
    Cause.EXPIRED: _reply(451, "4.4.7", "delivery time expired"),
    Cause.SENDER_REPUTATION: _reply(554, "5.7.1", "your IP address is listed on a blocklist"),
    Cause.SENDER_AUTHENTICATION: _reply(550, "5.7.26", "message failed DMARC authentication"),
    Cause.SENDER_CONFIGURATION: _reply(554, "5.7.1", "relaying denied"),
    Cause.CONTENT: _reply(554, "5.7.1", "message rejected as spam by content filtering"),
    Cause.VIRUS: _reply(554, "5.7.1", "virus detected in the message"),
    Cause.MESSAGE_TOO_LARGE: _reply(552, "5.3.4", "message size exceeds fixed limit"),
    Cause.RATE_LIMITED: _reply(421, "4.7.28", "unusual rate of mail, try again later"),
    Cause.POLICY: _reply(550, "5.7.1", "rejected by local policy"),
}


def reply_for(event: SampleEvent) -> ServerReply | None:
    """The event's own words where it has some, else what is typical for its cause; None when nobody refused."""
    typical = REPLIES.get(event.cause) if event.kind in _FAILURES else None
    if event.diagnostic is None and event.smtp_code is None and event.enhanced_status is None:
        return typical
    return ServerReply(
        smtp_code=event.smtp_code or (typical.smtp_code if typical else 550),
        enhanced_status=event.enhanced_status or (typical.enhanced_status if typical else "5.0.0"),
        text=event.diagnostic or (typical.text if typical else "refused"),
    )
