"""The commands by name. It does not import them, so that `--help` answers at once."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple


class CommandEntry(NamedTuple):
    """One line of `bouncekeeper --help`."""

    module: str
    says: str
    group: str


class Command(NamedTuple):
    """An entry of `COMMANDS` in a command's module."""

    configure: Callable[[ArgumentParser], None]  # adds its arguments, description and examples
    run: Callable[[Namespace], int]  # returns the exit status


# What commands were called before: nothing in the spelling leads from these to today's names.
FORMER_NAMES = {"receive": "receiver", "work": "processor", "fetch-mail": "mailbox"}

COMMANDS: dict[str, CommandEntry] = {
    "up": CommandEntry("up", "everything in one process, with a Postgres of its own", "run"),
    "receiver": CommandEntry("receiver", "the HTTP edge: authenticates webhooks and queues them", "run"),
    "processor": CommandEntry("processor", "turns queued webhooks into statuses", "run"),
    "api": CommandEntry("api", "the HTTP API for applications and operators", "run"),
    "mailbox": CommandEntry("mailbox", "takes reports and bounces from IMAP mailboxes", "run"),
    "stack": CommandEntry("stack", "the production topology on this machine, as separate processes", "run"),
    "migrate": CommandEntry("migrate", "brings the database to this version", "run"),
    "demo": CommandEntry("demo", "sends a day of signed webhooks and shows the status of each contact", "run"),
    "check": CommandEntry("check", "may I mail these addresses?", "ask"),
    "why": CommandEntry("why", "may I mail this address, and why not, in five words", "ask"),
    "explain": CommandEntry("explain", "an address's status: why, since when, by which rule and events", "ask"),
    "campaign": CommandEntry("campaign", "what became of a campaign's messages, and its recipients", "ask"),
    "person": CommandEntry("person", "a person's addresses, and where each stands", "ask"),
    "report": CommandEntry("report", "bounces, blocked and freed over a span of time, as one HTML file", "ask"),
    "mail-token": CommandEntry(
        "mail_token", "makes the token that lets a mail's bounces and complaints be believed", "ask"
    ),
    "unsubscribe-link": CommandEntry(
        "unsubscribe_link", "makes the link and the header fields for one-click unsubscribes", "ask"
    ),
    "policy": CommandEntry("policy", "the rules in force, what others would change, and applying them", "ask"),
    "add": CommandEntry("add", "tells of contacts: their permission, tags, and whose addresses they are", "decide"),
    "remove": CommandEntry("remove", "takes tags away from contacts, and lets people leave them", "decide"),
    "lift": CommandEntry("lift", "ends what forbids mail to contacts, with a reason", "decide"),
    "block": CommandEntry("block", "forbids mail to contacts, with a reason", "decide"),
    "unsubscribe": CommandEntry("unsubscribe", "takes contacts off marketing mail: as they asked, or by us", "decide"),
    "decline": CommandEntry("decline", "records that people want no commercial mail", "decide"),
    "do-not-contact": CommandEntry("do_not_contact", "records that people want no mail at all, ever", "decide"),
    "opt-in": CommandEntry("opt_in", "records that people agreed, with the proof", "decide"),
    "recheck": CommandEntry("recheck", "checks addresses again, and frees those whose domain takes mail now", "decide"),
    "safelist": CommandEntry("safelist", "asks for contacts back, and decides about such requests", "decide"),
    "summary": CommandEntry("summary", "the daily summary of an account's safelist requests", "look after"),
    "accounts": CommandEntry("accounts", "whose contacts there are, and how well their mail is received", "look after"),
    "tokens": CommandEntry("tokens", "who may use the API, for which account, in which role", "look after"),
    "jobs": CommandEntry("jobs", "long work in the background: how far it is, and cancelling it", "look after"),
    "dead-letters": CommandEntry("dead_letters", "webhooks that could not be processed", "look after"),
    "sources": CommandEntry("sources", "the configured ESPs: where they post, and whether they work", "look after"),
    "endpoints": CommandEntry("endpoints", "applications that receive webhooks, and their state", "look after"),
    "doctor": CommandEntry("doctor", "what is missing or unreachable, and the remedy", "look after"),
    "postgres": CommandEntry("postgres", "runs psql, pg_dump or deploy/restore on the database", "look after"),
    "watch": CommandEntry("watch", "a live board in the terminal, made from the log", "look after"),
    "healthcheck": CommandEntry("healthcheck", "checks that a URL answers 200, for containers", "look after"),
}
