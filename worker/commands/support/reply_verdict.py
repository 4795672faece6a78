"""How a reply was read and judged, for `sources try`, so that an operator can check it."""

from typing import TYPE_CHECKING

from schemas.vocabulary import CAUSE_BLAME
from worker.commands.support.output import print_line

if TYPE_CHECKING:
    from schemas.feedback_event import FeedbackEvent
    from worker.providers.classification.judgement import Judgement
    from worker.providers.classification.reply import Reply, Stage


def verdict_on_reply(
    text: str | None, *, smtp_code: int | None = None, status: str | None = None, stage: "Stage | None" = None
) -> dict[str, object]:
    """The speaker, stage, codes, subject and predicate of a reply, and the rule that decided."""
    from worker.providers.classification.failure import bounce_kind, judge_reply  # noqa: PLC0415 - slow for --help
    from worker.providers.classification.reply import Stage  # noqa: PLC0415 - as above
    from worker.providers.classification.reply_reader import read_reply  # noqa: PLC0415 - as above

    reply = read_reply(text or "", smtp_code=smtp_code, enhanced_status=status, stage=stage or Stage.UNKNOWN)
    judgement = judge_reply(reply, permanent=True)
    return {"kind": bounce_kind(judgement.cause), **_view(reply, judgement)}


def verdict_on_event(event: "FeedbackEvent") -> dict[str, object] | None:
    """The same for the reply of a failure; None for an event that is not a failure.

    A vendor's own class may decide instead: then the event has another cause than this verdict.
    """
    from schemas.vocabulary import Kind  # noqa: PLC0415 - beside its use

    if event.kind not in {Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.DEFERRED}:
        return None
    if not (event.diagnostic or event.smtp_code or event.enhanced_status):
        return None
    return verdict_on_reply(event.diagnostic, smtp_code=event.smtp_code, status=event.enhanced_status)


def _view(reply: "Reply", judgement: "Judgement") -> dict[str, object]:
    return {
        "cause": judgement.cause,
        "blame": CAUSE_BLAME[judgement.cause],
        "speaker": reply.speaker,
        "stage": reply.stage,
        "smtp_code": reply.smtp_code,
        "enhanced_status": reply.enhanced_status,
        "subject": judgement.subject,
        "predicate": judgement.predicate,
        "decided_by": judgement.rule or "nothing: no rule knows these words, and the codes say no more",
        "words_of_the_speaker": reply.text,
    }


def print_verdict(verdict: dict[str, object], *, cause: object = None) -> None:
    """Prints the verdict; `cause` is that of the event, if there is one."""
    speaker = "the receiving server" if verdict["speaker"] == "remote" else "the sending server, for itself"
    about = " ".join(str(word) for word in (verdict["subject"], verdict["predicate"]) if word)
    for label, value in (
        ("speaker", speaker),
        ("stage", verdict["stage"]),
        ("it says", about.replace("_", " ")),
        ("decided by", verdict["decided_by"]),
    ):
        if value:
            print_line(f"  {label:<18}  {value}")
    if cause is not None and cause != verdict["cause"]:
        print_line(
            f"  {'overruled':<18}  the reply alone would mean {verdict['cause']}; the vendor's own class decided"
        )
