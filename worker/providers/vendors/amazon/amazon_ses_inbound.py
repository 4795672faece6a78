"""Amazon SES email receiving: mail that a receipt rule's SNS action publishes whole.

https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
Only the SNS action's notification carries `content`. The S3 action writes the mail into a bucket and publishes
only where, and fetching it from there would take AWS credentials; its notification is set aside with this said.
Nothing in the notification says whether `content` is UTF-8 or base64: a mail begins with a header field, whose
colon no base64 has.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from schemas.envelope import Envelope
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import refuse_basic_auth
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import check_options
from worker.providers.mail.dkim_verdict import passed_unnamed
from worker.providers.mail.mail_provider import MailProvider
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.options import MAIL_OPTIONS, check_mail_options
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload import json_payload
from worker.providers.provider import Refused, Verdict, WebhookRequest
from worker.providers.vendors.amazon import sns

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

OPTIONS = ("topics", "signature_versions", "pinned_certificates", "aws_domains")

# -- How it is read ------------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html#receiving-email-notifications-contents-top-level-json-object

RECEIVED = "Received"
PASS = "PASS"  # noqa: S105 - of PASS, FAIL, GRAY (a mail without signature) and PROCESSING_FAILED


class AmazonSesInbound(MailProvider):
    """See worker.providers.webhook_provider.WebhookProvider."""

    name: ClassVar[str] = "amazon_ses_inbound"
    title: ClassVar[str] = "Amazon SES email receiving"
    documentation: ClassVar[str] = (
        "https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html"
    )
    proof: ClassVar[str] = "SNS signature, RSA of the message, and its topic"
    schemes: ClassVar[Mapping[str, Scheme]] = {}  # SNS signs; see authenticate
    tells_dkim: ClassVar[bool] = True
    seconds_options: ClassVar[tuple[str, ...]] = ()  # SNS may send again for long, and names itself each time
    other_options: ClassVar[tuple[str, ...]] = (*MAIL_OPTIONS, *OPTIONS)
    later_status: ClassVar[int] = sns.LATER_STATUS
    secret_help: ClassVar[str] = (
        "none is needed: SNS signs, and `topics` lists the ARNs that may speak. A secret `user:password` "  # noqa: S105 - a text about secrets
        "adds basic authentication; put it into the subscription's URL"
    )

    def check_source(self, source: Source) -> list[str]:
        """What is wrong in a source: above all a missing topic, without which every AWS account may speak."""
        problems = check_common(source, secret_help=self.secret_help, secret_required=False)
        if not is_open(source):
            problems += sns.check_sns_options(source)
        problems += check_options(source, others=self.other_options)
        return problems + check_mail_options(source, verifies_dkim=self.tells_dkim)

    def refuse_head(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """The caller's address, and basic authentication where it is configured."""
        refused = super().refuse_head(request, source, now=now)
        if refused is None and source.secrets and not is_open(source):
            refused = refuse_basic_auth(request, source.secrets)
        return refused

    def unproven_bytes(self, source: Source) -> int | None:
        """A message of SNS is read before it is proved, and never larger."""
        del source
        return sns.LARGEST_MESSAGE_BYTES

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Addresses and basic authentication where they are configured, then the SNS signature."""
        if refused := self.refuse_head(request, source, now=now):
            return refused
        if is_open(source):
            return sns.take_unproven(request, source.options)
        return sns.authenticate_sns(request, source.options, now=now, certificates=certificates)

    def unwrap(self, envelope: Envelope, source: Source) -> ReceivedMail:
        """The mail in `content`, its envelope as SES tells it."""
        del source  # all that is needed stands in the payload
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


PROVIDER = AmazonSesInbound()


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
    """The address by which the rule was matched, where there is only one: of several nobody knows which it was."""
    recipients = receipt.get("recipients")
    if isinstance(recipients, list) and len(recipients) == 1 and isinstance(recipients[0], str):
        return envelope_address(recipients[0])
    return None
