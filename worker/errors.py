"""Every error of ours, in one tree. What a class inherits from says what the program does about it.

BouncekeeperError
├── TryAgainLater           the work is kept and done again; a receiver answers 503 with Retry-After
│   ├── QueueUnavailable        the broker or the queue table did not confirm
│   ├── StoreUnavailable        Postgres is away, or cannot do its part now
│   │   └── Deadlocked              Postgres rolled one of two transactions back that were in each other's way
│   ├── CertificateUnavailable  a signing certificate could not be fetched
│   ├── SubscriptionUnconfirmed a vendor's handshake could not be finished
│   ├── MailboxUnavailable      an IMAP server is away, or ended the connection
│   └── Overloaded              the process holds as much as it may; the API answers 429 with Retry-After
│       └── TooManyAtOnce           one caller has too many requests under way
├── SetAside                this one delivery goes to dead_letters, whole; its neighbours go on
│   └── UnreadablePayload       not the format that its vendor documents
├── WriteRefused            the batch is divided until the event at fault is found; that one goes to dead_letters
│   ├── AlreadyStored           a row with this key is there: the batch asks about every event, and is tried again
│   └── MonthClosed             the event's month has no partition: the batch looks for it, and is tried again
├── RequestRefused          an API request is wrong in itself; it is answered with a problem (RFC 9457)
│   ├── BodyCutOff              a body comes too slowly, or with more framing than body
│   └── CursorGone              this database does not have the change that a reader of the feed has read last
└── StopTheProcess          no work can be done until a person acts; the message says what to do
    ├── ImpossibleSetting       the configuration contradicts itself or misses something
    └── SchemaOutOfDate         the database lacks tables, or is not at the version that this program needs
"""


class BouncekeeperError(Exception):
    """The root: nothing else of ours is raised across a module's edge."""


class TryAgainLater(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """The work is sound but cannot be done now."""


class QueueUnavailable(TryAgainLater):
    """The queue did not confirm; what was offered to it may or may not be in it."""


class StoreUnavailable(TryAgainLater):
    """Postgres is away, or cannot do its part now."""


class Deadlocked(StoreUnavailable):
    """Postgres rolled one of two transactions back that were in each other's way: repeated at once, it goes through."""


class CertificateUnavailable(TryAgainLater):
    """A signing certificate could not be fetched, so nothing can be said about the signature yet."""


class SubscriptionUnconfirmed(TryAgainLater):
    """A vendor's handshake could not be finished; it repeats it."""


class MailboxUnavailable(TryAgainLater):
    """An IMAP server is away or ended the connection; what was not queued lies in its mailbox still."""


class Overloaded(TryAgainLater):
    """The process holds as many requests as it may at a time."""


class TooManyAtOnce(Overloaded):
    """One caller has too many requests under way; the others are not to wait for him."""


class SetAside(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """One delivery cannot be processed and is kept whole in dead_letters."""


class UnreadablePayload(SetAside):
    """An authentic webhook whose body is not what its vendor documents."""


class WriteRefused(BouncekeeperError):  # noqa: N818 - as the others of this tree
    """Postgres refuses what a batch writes, for its content. The text is asyncpg's name for it: no address is in it."""


class AlreadyStored(WriteRefused):
    """A row that was taken for new is there."""


class MonthClosed(WriteRefused):
    """Nothing can be written to the month of an event: it has no partition yet, or is being retired."""


class RequestRefused(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """An API request is wrong in itself: the one who asked must change it."""

    def __init__(self, kind: str, detail: str, *, remedy: str, http_status: int = 422) -> None:
        """`kind` is a kebab-case word that programs can tell this problem by."""
        super().__init__(f"{detail} {remedy}")
        self.kind = kind
        self.detail = detail
        self.remedy = remedy
        self.http_status = http_status


class CursorGone(RequestRefused):
    """This database does not have the change that a reader of the feed has read last: the reader begins again."""

    def __init__(self, cursor: str) -> None:
        """`cursor` is what the reader would have continued after."""
        super().__init__(
            "cursor-gone",
            f"This database does not have the change of the cursor {cursor}: it was restored from a backup or failed "
            "over to a replica that is older than this cursor, or the cursor is of an earlier version.",
            remedy="Start again: drop what you have built from the feed, and read it from its beginning, without "
            "`after`.",
            http_status=410,
        )


class BodyCutOff(RequestRefused):
    """A body comes in a way that costs more than it can be worth; what still comes of it is not read."""

    def __init__(self, kind: str, detail: str, *, remedy: str, http_status: int, reason: str) -> None:
        """`reason` is the one that connections are counted under, such as slow_body."""
        super().__init__(kind, detail, remedy=remedy, http_status=http_status)
        self.reason = reason


class StopTheProcess(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """Nothing can be done until a person acts."""


class ImpossibleSetting(StopTheProcess):
    """The configuration contradicts itself or misses something; the message names the remedy."""

    def __init__(self, *mistakes: str) -> None:
        """One message for each mistake."""
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class SchemaOutOfDate(StopTheProcess):
    """The database is not at the version that this program needs, or its tables are gone: run `bouncekeeper migrate`.

    A running worker waits for tables that vanish under it: somebody restores a backup.
    """
