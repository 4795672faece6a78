"""Amazon SES email receiving: mail that a receipt rule's SNS action publishes whole.

https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
Only the SNS action's notification carries `content`. The S3 action writes the mail into a bucket and publishes
only where, and fetching it from there would take AWS credentials; its notification is set aside with this reason.
Nothing in the notification says whether `content` is UTF-8 or base64: a mail begins with a header field, whose
colon no base64 has.
"""

import base64
import binascii
from typing import Any

from schemas.envelope import Envelope
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.authentication.scheme import is_open
from worker.providers.bound_source import BoundSource
from worker.providers.mail.dkim_verdict import passed_unnamed
from worker.providers.mail.mail_provider import MailProvider, verifies_dkim
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.options import MAIL_OPTIONS
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload import json_payload
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.sns_endpoints import AwsEndpoints

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html


# -- How it is read ------------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html#receiving-email-notifications-contents-top-level-json-object

RECEIVED = "Received"
PASS = "PASS"  # noqa: S105 - of PASS, FAIL, GRAY (a mail without signature) and PROCESSING_FAILED


def check_topics(source: Source) -> list[str]:
    """The mistakes in a source: above all a missing topic, without which every AWS account is believed."""
    return [] if is_open(source) else sns.check_sns_options(source)


def tailor(bound: BoundSource) -> BoundSource:
    """Proves requests by SNS, and by basic authentication if it is configured."""
    endpoints = AwsEndpoints(sns.domains_of(bound.source))
    return sns.prove_by_sns(bound, sns.sns_proof(bound.source, endpoints, BasicCredentials()), endpoints)


def unwrap(envelope: Envelope) -> ReceivedMail:
    """The mail in `content`, with its envelope as SES reports it."""
    message = sns.read_sns_message(envelope.body)
    if message.type != sns.NOTIFICATION:
        raise UnreadablePayload(f"SNS message: a {message.type[:40]} carries no mail")
    values = json_payload.decode_object(message.message.encode("utf-8", "surrogatepass"), "SES received mail")
    if json_payload.text(values, "notificationType") != RECEIVED:
        raise UnreadablePayload(
            "SES notification: it tells of no received mail: give feedback on mail that you sent a source of its "
            "own, with provider amazon_ses"
        )
    mail, receipt = json_payload.child(values, "mail"), json_payload.child(values, "receipt")
    content = _mail_in(values, receipt)
    verdict = json_payload.text(json_payload.child(receipt, "dkimVerdict"), "status")
    return ReceivedMail(
        message=content,
        envelope_recipient=_recipient(receipt),
        envelope_sender=envelope_address(sender) if isinstance(sender := mail.get("source"), str) else None,
        dkim_pass=passed_unnamed(content) if verdict == PASS else (),
    )


def _mail_in(values: dict[str, Any], receipt: dict[str, Any]) -> bytes:
    content = values.get("content")
    if not isinstance(content, str) or not content:
        action = json_payload.text(json_payload.child(receipt, "action"), "type") or "unknown"
        raise UnreadablePayload(
            f"SES received mail: the notification of the action {action[:40]} has no content: use the SNS action "
            '("Publish to Amazon SNS topic") in the receipt rule, which sends the whole mail'
        )
    if ":" not in content:
        try:
            return base64.b64decode("".join(content.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnreadablePayload(f"SES received mail: content is neither a mail nor base64 ({error})") from error
    return content.encode("utf-8", "surrogatepass")


def _recipient(receipt: dict[str, Any]) -> str | None:
    """The address that matched the rule, if there is only one: otherwise it is unknown which one matched."""
    recipients = receipt.get("recipients")
    if isinstance(recipients, list) and len(recipients) == 1 and isinstance(recipients[0], str):
        return envelope_address(recipients[0])
    return None


PROVIDER = MailProvider(
    name="amazon_ses_inbound",
    title="Amazon SES email receiving",
    documentation="https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html",
    proof="SNS signature, RSA of the message, and its topic",
    own_proof=True,
    needs_secret=sns.needs_no_secret,
    believes_dkim=verifies_dkim,
    options=(*MAIL_OPTIONS, *sns.PROOF_OPTIONS, sns.DOMAINS),
    later_status=sns.LATER_STATUS,
    secret_help=(
        "none is needed: SNS signs, and `topics` lists the ARNs that may speak. A secret `user:password` "
        "adds basic authentication; put it into the subscription's URL"
    ),
    unwrap=unwrap,
    tailor=tailor,
    check_also=check_topics,
)
