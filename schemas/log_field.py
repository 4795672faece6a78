"""The fields of log lines: each name has one meaning and one type, whichever event it is a field of."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

TEXT = "text"
WHOLE_NUMBER = "whole number"
NUMBER = "number"
TRUE_OR_FALSE = "true or false"
TEXTS = "list of texts"
NUMBERS_BY_NAME = "numbers by name"
TRACEBACK = "list of objects"


class LogField(Struct, frozen=True, kw_only=True):
    """What a field of this name tells, in every event that has it."""

    meaning: str
    type: str
    unit: str = ""
    may_be_null: bool = False

    def allows(self, value: Any) -> bool:
        """True if a line may hold this value, which is given as JSON has it."""
        return self.may_be_null if value is None else _IS_OF_TYPE[self.type](value)


_IS_OF_TYPE: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    TRUE_OR_FALSE: lambda value: isinstance(value, bool),
    WHOLE_NUMBER: lambda value: type(value) is int,
    NUMBER: lambda value: type(value) in {int, float},
    TEXTS: lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    NUMBERS_BY_NAME: lambda value: isinstance(value, dict) and all(type(one) is int for one in value.values()),
    TRACEBACK: lambda value: isinstance(value, list),
}


def _text(meaning: str, *, null: bool = False) -> LogField:
    return LogField(meaning=meaning, type=TEXT, may_be_null=null)


def _count(meaning: str, *, null: bool = False) -> LogField:
    return LogField(meaning=meaning, type=WHOLE_NUMBER, may_be_null=null)


def _id(meaning: str, *, null: bool = False) -> LogField:
    return LogField(meaning=meaning, type=WHOLE_NUMBER, may_be_null=null)


def _bytes(meaning: str) -> LogField:
    return LogField(meaning=meaning, type=WHOLE_NUMBER, unit="bytes")


def _days(meaning: str) -> LogField:
    return LogField(meaning=meaning, type=WHOLE_NUMBER, unit="days")


def _seconds(meaning: str, *, null: bool = False) -> LogField:
    return LogField(meaning=meaning, type=NUMBER, unit="seconds", may_be_null=null)


def _flag(meaning: str) -> LogField:
    return LogField(meaning=meaning, type=TRUE_OR_FALSE)


COMMON_LOG_FIELDS: dict[str, LogField] = {
    "delivery_id": _text("the webhook, with the same id from the receiver to the status", null=True),
    "event": _text("the name of what happened"),
    "exception": LogField(meaning="a traceback, without the values of variables", type=TRACEBACK),
    "level": _text("`debug`, `info`, `warning` or `error`"),
    "process": _text("the process that writes the line: `receiver`, `processor`, `mailbox`, `api`, `up`"),
    "timestamp": _text("the time in UTC, as RFC 3339 writes it"),
    "trace_id": _text("the OpenTelemetry trace, 32 hexadecimal digits; only of what is [traced](traces.md)"),
}

LOG_FIELDS: dict[str, LogField] = {
    "account": _text("the account whose contact it is", null=True),
    "act_id": _id("the row of the table `acts` that stores the same act", null=True),
    "active_id": _id("the policy in force"),
    "actor": _text("who did it or asked for it: a person, a token of the API, a source, or the configuration"),
    "address": _text("the host and port that is listened on or connected to"),
    "age_seconds": _seconds("the time since the webhook arrived", null=True),
    "allowed": _count("addresses that may be mailed"),
    "approved": _count("requests that were approved"),
    "attempt": _count("which attempt it was, from 1"),
    "attempts": _count("how many attempts there were"),
    "batches": _count("transactions that stored the load"),
    "begins": _text("the change that is sent first"),
    "blocked": _count("messages that a mailbox provider refused for the sender's sake"),
    "body_bytes": _bytes("the size of the body"),
    "by_contact": _flag("true if the contact decided, false if somebody decided about the contact"),
    "bytes": _bytes("the memory that requests hold"),
    "cause": _text("the cause of the change, a word of ours such as `mailbox_full`", null=True),
    "changes": _count("status changes in the answer"),
    "channel": _text("`email` or `sms`"),
    "command": _text("the command line that is run"),
    "complaints": _count("complaints of recipients"),
    "contact": _text("the address, masked unless `logs.show_addresses` is set"),
    "contact_id": _id("the row of the table `contacts`", null=True),
    "contacts": _count("contacts that it is about"),
    "count": _count("how many there were since the line before, or in all if it is one line an act"),
    "counts": LogField(meaning="what the job did, by kind of result", type=NUMBERS_BY_NAME),
    "days": _days("how long it is kept"),
    "declined": _count("requests that were declined"),
    "delivered": _count("messages that a mailbox provider accepted"),
    "deliveries": _count("webhooks and mails in the load"),
    "detail": _text("the reason in a sentence, often with what to do"),
    "dkim_pass": _text("the domains whose DKIM signature of the mail is valid, separated by a space"),
    "domain": _text("the domain of the contact's address, null for a phone number", null=True),
    "duplicates": _count("events that were stored before, and change nothing"),
    "endpoint": _text("the endpoint's name in the configuration"),
    "envelopes": _count("webhooks in the parcel"),
    "events": _count("events that it is about"),
    "exit_code": _count("the exit code of the process, negative for a signal"),
    "failing_since": _text("the time of the first failure, in UTC"),
    "folder": _text("a folder of this machine, or of the mailbox"),
    "forbidden": _count("addresses that must not be mailed"),
    "hard_bounces": _count("messages that bounced for good"),
    "http_status": _count("the status code of the answer"),
    "idle": _flag("true if the IMAP server reports new mail at once (IDLE)"),
    "job_id": _id("the job, as `bouncekeeper jobs list` shows it", null=True),
    "joined": _count("contacts that were joined with another one of the same mailbox"),
    "kept_events": _count("events that are kept, because a status still depends on them"),
    "kind": _text("the kind of decision, request or job"),
    "last_contact_id": _id("the last contact that there is to look at"),
    "local_date": _text("the day of the summary, in the account's time zone"),
    "made": _count("decisions, or links, that were made"),
    "mail_class": _text("the class of mail that was asked about: `marketing`, `one_to_one` or `transactional`"),
    "mail_id": _id("the mail with the summary to one recipient"),
    "mailbox_provider": _text("who runs the contact's mailbox: `gmail`, `microsoft` and so on, or `other`", null=True),
    "mails": _count("mails in the folder"),
    "max_open": _count("connections that the process keeps open at most"),
    "method": _text("the method of the HTTP request"),
    "migrations": LogField(meaning="the steps that were applied", type=TEXTS),
    "mode": _text("the folder's new permissions, in octal"),
    "month": _text("the month of the partition: `2026-03`"),
    "name": _text("the policy's name"),
    "new_blocks": _text("the mail that is forbidden now, from `none` to `all`"),
    "new_events": _count("events that were not known before"),
    "new_status": _text("the status now"),
    "no_address": _count("contacts whose address names no mailbox"),
    "note": _text("what the person wrote about it", null=True),
    "of_about": _count("about how many there are in all"),
    "old_blocks": _text("the mail that was forbidden before"),
    "old_status": _text("the status before, `new` for a contact that was not known"),
    "oldest_age_seconds": _seconds("the time since the oldest webhook of the load arrived"),
    "one_by_one": _flag("true if each webhook of the parcel is tried alone"),
    "open": _count("connections that are open"),
    "open_files": _count("files and sockets that the system lets the process open"),
    "parcel_bytes": _bytes("the size of the parcel"),
    "parcels": _count("parcels, which hold webhooks on their way through the queue"),
    "parse_seconds": _seconds("the time that reading the webhooks took"),
    "passed_over": _count("mails that cannot be queued, and stay"),
    "people": _count("people whose address the contact no longer is"),
    "pid": _id("the id of the process"),
    "policy_id": _id("the policy, as `bouncekeeper policy list` shows it"),
    "postponed": _count("mails that are fetched again later"),
    "problem": _text("the kind of problem in the answer, a word of [the API's description](../schemas/openapi.yaml)"),
    "provider": _text("the module that reads the webhooks of this ESP", null=True),
    "queue": _text("`rabbitmq`, or `postgres` for parked webhooks"),
    "queued": _count("mails that the queue has confirmed"),
    "reason": _text("why: a word that never changes, or what the other side answered", null=True),
    "recipient": _text("the recipient of the summary, masked unless `logs.show_addresses` is set"),
    "recipients": _count("recipients"),
    "refolded": _count("contacts whose whole log was read again"),
    "remedy": _text("what to do"),
    "remote_address": _text("the IP address of the caller"),
    "renamed": _count("contacts whose address is spelled in today's way now"),
    "repeated": _flag("true if the same request came before, under the same idempotency key"),
    "request_id": _id("the safelist request"),
    "role": _text("the part of the program that it concerns, or the role of the token"),
    "route": _text("the path of the request, with names for its variable parts"),
    "rule": _text("the rule of the policy that decided", null=True),
    "scope": _text("the list that it is about, null for all mail", null=True),
    "seconds": _seconds("how long it took"),
    "sending_domain": _text("the domain that the mail was sent from"),
    "service": _text("`postgres` or `rabbitmq`"),
    "set_aside": _count("webhooks that went to the dead letters"),
    "signal": _text("the signal that ended it"),
    "skipped": _count("entries that were left out, because they could not be used"),
    "soft_bounces": _count("messages that bounced for now"),
    "source": _text("the source's name in the configuration", null=True),
    "state": _text("what became of the request: `requested`, `approved` or `declined`"),
    "status_changes": _count("contacts whose status changed"),
    "store_seconds": _seconds("the time that storing took"),
    "summary_id": _id("the summary"),
    "summary_recipients": _text("who gets the summary from now on, masked, separated by commas"),
    "table": _text("the table of the database"),
    "tags": _count("tags that were taken away"),
    "task": _text("the task's name"),
    "text": _text("the first sentence of the summary"),
    "time_zone": _text("a time zone's name in the IANA database"),
    "token": _text("the token's name, never its text"),
    "token_id": _id("the token, as `bouncekeeper tokens list` shows it"),
    "topic": _text("the vendor's name of the subscription"),
    "uid": _id("the mail's UID in its folder"),
    "unchanged": _count("decisions that were in force already"),
    "unreadable": _count("dead letters that this version cannot read either"),
    "until": _text("when the status ends by itself, in UTC", null=True),
    "url": _text("the URL that was fetched"),
    "user": _text("the system user's name"),
    "vendor_event": _text("the vendor's own word"),
    "version": _text("the version of Bouncekeeper"),
    "wait_seconds": _seconds("the pause before the next attempt"),
    "waiting": _count("requests that wait for memory"),
    "way": _text("how the person said so: `footer_link`, `mail_client`, `form`, `staff` or `provider`", null=True),
    "what": _text("the sort of act: `command`, `call` of the API, `import`, `job` or `rule`"),
}
