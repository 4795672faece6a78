"""Tells the kind and the cause of a failed delivery by the server's codes and words.

worker.providers.classification.judgement says which of them is believed. The first digit of the reply code tells
whether the refusal was temporary, as "421 5.7.32" was. Whether a bounce is hard depends on the cause alone.
"""

import msgspec
from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.judgement import Judgement, judge
from worker.providers.classification.reply import Reply, Stage
from worker.providers.classification.reply_reader import read_reply


class Classification(Struct, frozen=True, kw_only=True, gc=False):
    """The kind and the cause of a failure, with its codes: those of the report, or those in the diagnostic."""

    kind: Kind  # HARD_BOUNCE, SOFT_BOUNCE or BLOCKED
    cause: Cause
    smtp_code: int | None
    enhanced_status: str | None

    @property
    def vague(self) -> bool:
        """True if codes and words leave the cause open: then a label of the sending server says more."""
        return self.cause is Cause.UNDETERMINED or (self.cause is Cause.POLICY and self.enhanced_status is None)


HARD_CAUSES = frozenset(
    {
        Cause.MAILBOX_DOES_NOT_EXIST,
        Cause.INVALID_ADDRESS,
        Cause.MAILBOX_OWNER_CHANGED,
        Cause.MAILBOX_DISABLED,
        Cause.DOMAIN_DOES_NOT_EXIST,
        Cause.DOMAIN_ACCEPTS_NO_MAIL,
    }
)

# What a temporary refusal means if its words name a lasting cause: the server does not know yet.
_SOFTENED: dict[Cause, Cause] = {
    Cause.MAILBOX_DOES_NOT_EXIST: Cause.SERVER_UNAVAILABLE,
    Cause.INVALID_ADDRESS: Cause.SERVER_UNAVAILABLE,
    Cause.MAILBOX_DISABLED: Cause.SERVER_UNAVAILABLE,
    Cause.DOMAIN_DOES_NOT_EXIST: Cause.DNS_FAILURE,
    Cause.DOMAIN_ACCEPTS_NO_MAIL: Cause.DNS_FAILURE,
}

_KINDS: dict[Cause, Kind] = {
    cause: Kind.HARD_BOUNCE
    if cause in HARD_CAUSES
    else (Kind.BLOCKED if CAUSE_BLAME[cause] is Blame.SENDER else Kind.SOFT_BOUNCE)
    for cause in Cause
}


def bounce_kind(cause: Cause) -> Kind:
    """The kind of a bounce with this cause. It depends on the blame, never on the first digit of a code."""
    return _KINDS[cause]


def classify(
    *,
    smtp_code: int | None,
    enhanced_status: str | None,
    diagnostic: str | None,
    permanent: bool | None,
    stage: Stage = Stage.UNKNOWN,
    recipient: str | None = None,
    sender: str | None = None,
    remote_host: str | None = None,
) -> Classification:
    """The kind and the cause of a failure.

    `enhanced_status` may have a comment, or be a reply code, as in some reports. `permanent` is the vendor's verdict,
    which counts only if neither code says whether the refusal was temporary. The vendor tells `stage`, `recipient`,
    `sender` and `remote_host` (the host that refused, in any form) besides the reply.
    """
    reply = read_reply(
        diagnostic or "",
        smtp_code=smtp_code,
        enhanced_status=enhanced_status,
        stage=stage,
        recipient=recipient,
        sender=sender,
        remote_host=remote_host,
    )
    judgement = judge_reply(reply, permanent=permanent)
    return Classification(
        kind=_KINDS[judgement.cause],
        cause=judgement.cause,
        smtp_code=reply.smtp_code,
        enhanced_status=reply.enhanced_status,
    )


def judge_reply(reply: Reply, *, permanent: bool | None) -> Judgement:
    """What a reply means. In a temporary refusal, a lasting cause becomes one that may pass."""
    if reply.smtp_code is not None:
        temporary = reply.smtp_code < 500  # noqa: PLR2004 - RFC 5321: 4yz is temporary, 5yz permanent
    elif reply.enhanced_status is not None:
        temporary = reply.enhanced_status[0] == "4"
    else:
        temporary = permanent is False
    judgement = judge(reply, temporary=temporary)
    if judgement.is_final:
        return judgement
    if temporary and (softened := _SOFTENED.get(judgement.cause)) is not None:
        return msgspec.structs.replace(judgement, cause=softened, rule=f"{judgement.rule}, for now")
    return judgement
