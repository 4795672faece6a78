"""What SES reports of bounces and complaints, in both of its dialects."""

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.meanings import meanings
from tests.providers.vendors.amazon.ses_payloads import DIALECTS, HAPPENED, NOW, bounce, complaint, one, parse
from worker.errors import UnreadablePayload
from worker.providers.vendors.amazon.ses_vocabulary import BOUNCES, COMPLAINTS

# https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html ("Bounce types"). OnTenantSuppressionList,
# EmailValidationSuppressed, UnsubscribedRecipient and CustomTimeoutExceeded are newer than that page.
BOUNCE_MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): (
            # The address does not exist. It is on the list that all customers of AWS share: AWS says to remove it, and
            # nothing else reports it.
            "Permanent/NoEmail Permanent/Suppressed"
        ),
        # A hard bounce for which the server gave no reason.
        (Kind.HARD_BOUNCE, Cause.UNDETERMINED): "Permanent/General",
        # SES's own validation refused the address, and no mail was tried.
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS): "Permanent/EmailValidationSuppressed",
        # On the account's own list, or its tenant's: an echo of what was reported before.
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER): (
            "Permanent/OnAccountSuppressionList Permanent/OnTenantSuppressionList"
        ),
        (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER): "Permanent/UnsubscribedRecipient",
        # SES could not read the bounce, or it was a general one: out-of-office replies are among these.
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "Undetermined/Undetermined Transient/General",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "Transient/MailboxFull",
        (Kind.SOFT_BOUNCE, Cause.MESSAGE_TOO_LARGE): "Transient/MessageTooLarge",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "Transient/CustomTimeoutExceeded",
        # Refused for the message, and not for the address.
        (Kind.BLOCKED, Cause.CONTENT): "Transient/ContentRejected Transient/AttachmentRejected",
    }
)
# The same page, "Complaint feedback type", in the words of the registry of ARF that it names.
COMPLAINT_MEANINGS = meanings(
    {
        # Unsolicited mail, "other" that fits no other type; SES sends both for complaints alone.
        (Kind.COMPLAINT, Cause.ABUSE_REPORT): "abuse other",
        (Kind.COMPLAINT, Cause.FRAUD_REPORT): "fraud",
        # The reporter does not think that it is spam.
        (Kind.OTHER, Cause.NONE): "not-spam",
        # About the message, without any reader's wish.
        (Kind.OTHER, Cause.SENDER_AUTHENTICATION): "auth-failure",
        (Kind.OTHER, Cause.VIRUS): "virus",
    }
)


class TestBounce:
    def test_every_subtype_is_mapped(self) -> None:
        assert {"/".join(pair) for pair in BOUNCES} == set(BOUNCE_MEANINGS)

    @pytest.mark.parametrize("dialect", DIALECTS)
    @pytest.mark.parametrize("subtype", BOUNCE_MEANINGS)
    def test_means_what_its_subtype_says(self, subtype: str, dialect: str) -> None:
        bounce_type, _, bounce_subtype = subtype.partition("/")
        event = one(bounce(bounce_type, bounce_subtype, dialect=dialect))
        assert (event.kind, event.cause) == BOUNCE_MEANINGS[subtype]
        assert event.vendor_event == f"Bounce/{subtype}"
        assert event.recognised
        assert event.occurred_at == HAPPENED
        assert not event.arrival_dated
        assert event.message_id == "0102-mail"

    @pytest.mark.parametrize(
        ("bounce_type", "subtype"),
        [("Permanent", "InventedYesterday"), ("Transient", "NoEmail"), ("Permanent", "permanent"), ("New", "General")],
    )
    def test_of_an_unknown_subtype_is_never_hard_whatever_its_status(self, bounce_type: str, subtype: str) -> None:
        recipient = {"emailAddress": "gone@example.com", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 no user"}
        event = one(bounce(bounce_type, subtype, recipient))
        assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
        assert event.vendor_event == f"Bounce/{bounce_type}/{subtype}"
        assert not event.recognised

    @pytest.mark.parametrize("subtype", ["OnAccountSuppressionList", "OnTenantSuppressionList"])
    def test_that_the_accounts_own_list_suppressed_is_an_echo_in_spite_of_its_status(self, subtype: str) -> None:
        recipient = {
            "emailAddress": "gone@example.com",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "Amazon SES has suppressed sending to this address",
        }
        event = one(bounce("Permanent", subtype, recipient))
        assert (event.kind, event.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)

    @pytest.mark.parametrize(
        ("bounce_type", "status", "diagnostic", "kind", "cause"),
        [
            ("Permanent", "5.1.1", None, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("Permanent", "5.2.2", "smtp; 552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            (
                "Permanent",
                "5.7.1",
                "smtp; 554 5.7.1 your IP address is listed on a blocklist",
                Kind.BLOCKED,
                Cause.SENDER_REPUTATION,
            ),
            ("Permanent", None, "X-Postfix; unknown user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("Transient", "4.4.7", None, Kind.SOFT_BOUNCE, Cause.EXPIRED),
            ("Undetermined", "5.2.2", None, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ],
    )
    def test_of_the_general_sort_is_refined_by_the_servers_words(
        self, bounce_type: str, status: str | None, diagnostic: str | None, kind: Kind, cause: Cause
    ) -> None:
        subtype = "Undetermined" if bounce_type == "Undetermined" else "General"
        recipient = {"emailAddress": "gone@example.com", "status": status, "diagnosticCode": diagnostic}
        event = one(bounce(bounce_type, subtype, recipient))
        assert (event.kind, event.cause) == (kind, cause)
        assert event.enhanced_status == status
        assert event.diagnostic == diagnostic

    def test_of_a_mailbox_that_ses_knows_is_gone_stays_hard_when_the_server_speaks_of_policy(self) -> None:
        recipient = {"emailAddress": "gone@example.com", "status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 no"}
        event = one(bounce("Permanent", "NoEmail", recipient))
        assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)

    def test_that_only_warns_of_a_delay_is_deferred(self) -> None:
        recipient = {"emailAddress": "slow@example.com", "action": "delayed", "status": "4.4.1"}
        assert one(bounce("Transient", "General", recipient)).kind is Kind.DEFERRED
        assert one(bounce("Permanent", "NoEmail", recipient)).kind is Kind.HARD_BOUNCE

    def test_concerns_every_recipient_reported_each_with_its_own_status_and_nobody_else(self) -> None:
        events = parse(
            bounce(
                "Permanent",
                "General",
                {"emailAddress": "Gone@Example.com", "status": "5.1.1", "action": "failed"},
                {"emailAddress": "full@example.com", "status": "5.2.2", "action": "failed"},
            )
        )
        assert [(event.address, event.kind) for event in events] == [
            ("gone@example.com", Kind.HARD_BOUNCE),
            ("full@example.com", Kind.SOFT_BOUNCE),
        ]
        assert len({event.event_key for event in events}) == 2

    def test_of_an_address_that_is_none_is_kept_without_a_contact(self) -> None:
        event = one(bounce("Permanent", "General", {"emailAddress": "unknown"}))
        assert (event.address, event.kind) == (None, Kind.HARD_BOUNCE)

    @pytest.mark.parametrize("at", ["bounce@simulator.amazonses.com", "ooto@simulator.amazonses.com"])
    def test_of_the_mailbox_simulator_is_a_real_event(self, at: str) -> None:
        event = one(bounce("Permanent", "General", {"emailAddress": at, "status": "5.1.1"}))
        assert (event.address, event.kind, event.cause) == (at, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)

    @pytest.mark.parametrize(
        "recipients", [[], None, {}, "", [{"status": "5.1.1"}], [None], [7], [{"emailAddress": None}]]
    )
    def test_that_names_nobody_is_set_aside(self, recipients: object) -> None:
        content = bounce()
        content["bounce"]["bouncedRecipients"] = recipients
        if recipients == "":
            assert one(content).address is None
            return
        with pytest.raises(UnreadablePayload, match="bouncedRecipients"):
            parse(content)

    def test_without_a_usable_time_is_dated_by_its_arrival(self) -> None:
        for stamp in (None, "yesterday", "2099-01-01T00:00:00.000Z"):
            event = one(bounce(timestamp=stamp))
            assert (event.occurred_at, event.arrival_dated) == (NOW, True)

    def test_time_may_have_an_offset_or_a_space_before_it(self) -> None:
        for stamp in ("2026-03-04T00:06:07.890-05:00", "2026-03-04T05:06:07.890 +0000"):
            event = one(bounce(timestamp=stamp))
            assert (event.occurred_at, event.arrival_dated) == (HAPPENED, False)


class TestComplaint:
    def test_every_feedback_type_is_mapped_and_so_is_none(self) -> None:
        assert set(COMPLAINTS) == {*COMPLAINT_MEANINGS, ""}

    @pytest.mark.parametrize("dialect", DIALECTS)
    @pytest.mark.parametrize("feedback_type", COMPLAINT_MEANINGS)
    def test_means_what_its_feedback_type_says(self, feedback_type: str, dialect: str) -> None:
        event = one(complaint(dialect=dialect, complaintFeedbackType=feedback_type, complaintSubType=None))
        assert (event.kind, event.cause) == COMPLAINT_MEANINGS[feedback_type]
        assert event.vendor_event == f"Complaint/{feedback_type}"
        assert event.recognised

    def test_without_a_feedback_type_is_one(self) -> None:
        event = one(complaint())
        assert (event.kind, event.cause, event.vendor_event) == (Kind.COMPLAINT, Cause.ABUSE_REPORT, "Complaint")
        assert event.recognised

    def test_of_an_unknown_feedback_type_is_one_and_is_noticed(self) -> None:
        event = one(complaint(complaintFeedbackType="opt-out-list"))
        assert (event.kind, event.recognised) == (Kind.COMPLAINT, False)

    @pytest.mark.parametrize("subtype", ["OnAccountSuppressionList", "OnTenantSuppressionList"])
    def test_of_long_ago_is_no_new_one(self, subtype: str) -> None:
        event = one(complaint(complaintFeedbackType="abuse", complaintSubType=subtype))
        assert (event.kind, event.cause) == (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER)

    def test_concerns_every_recipient_reported_and_nobody_else(self) -> None:
        events = parse(complaint("a@example.com", "b@example.com"))
        assert [event.address for event in events] == ["a@example.com", "b@example.com"]
        assert len({event.event_key for event in events}) == 2
