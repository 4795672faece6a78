"""Every error of ours, in one tree. The parent class says how the program reacts.

BouncekeeperError
├── TryAgainLater           the work is kept and tried again; a receiver answers 503 with Retry-After
│   ├── QueueUnavailable        the broker or the queue table did not confirm
│   ├── StoreUnavailable        Postgres is away, or cannot do its part now
│   │   └── Deadlocked              Postgres rolled one of two transactions back that were in each other's way
│   ├── CertificateUnavailable  a signing certificate could not be fetched
│   ├── SubscriptionUnconfirmed a vendor's handshake could not be finished
│   ├── MailboxUnavailable      an IMAP server is away, or has ended the connection
│   └── Overloaded              the process has reached its memory limit; the API answers 429 with Retry-After
│       └── TooManyAtOnce           one caller has too many requests under way
├── SetAside                this one delivery goes to dead_letters, whole; its neighbours go on
│   └── UnreadablePayload       the body is not in the format that its vendor documents
├── WriteRefused            the batch is divided until the event at fault is found; that one goes to dead_letters
│   ├── AlreadyStored           a row with this key is there: the batch asks about every event, and is tried again
│   └── MonthClosed             the event's month has no partition: the batch looks for it, and is tried again
├── RequestRefused          a request to the API is wrong; it is answered with a problem (RFC 9457)
│   ├── BodyCutOff              a body comes too slowly, or with more framing than body
│   └── CursorGone              the database lacks the last change that a reader of the feed has read
└── StopTheProcess          the process cannot work until a person acts; the message says what to do
    ├── ImpossibleSetting       the configuration contradicts itself or lacks something
    │   └── MissingRight            our user of Postgres may not do its part; whoever could before waits for the right
    ├── WrongUsage              a command line contradicts itself or lacks something; exit code 2
    ├── SchemaOutOfDate         the database lacks tables, or is not at the version that this program needs
    └── DatabaseReplaced        another server has taken the database over: a processor begins anew by itself
"""


class BouncekeeperError(Exception):
    """The base class: modules raise no other error of ours to their callers."""


class TryAgainLater(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """The work is valid but cannot be done now."""


class QueueUnavailable(TryAgainLater):
    """The queue did not confirm. The parcel may or may not be in it."""


class StoreUnavailable(TryAgainLater):
    """Postgres is away, or cannot do its part now."""


class Deadlocked(StoreUnavailable):
    """Postgres rolled one of two transactions back that were in each other's way: repeated at once, it goes through."""


class CertificateUnavailable(TryAgainLater):
    """A signing certificate could not be fetched, so the signature cannot be checked yet."""


class SubscriptionUnconfirmed(TryAgainLater):
    """A vendor's handshake could not be finished. The vendor repeats it."""


class MailboxUnavailable(TryAgainLater):
    """An IMAP server is away or has ended the connection. Mail that was not queued is still in its mailbox."""


class Overloaded(TryAgainLater):
    """The process holds as many requests as its limit allows."""


class TooManyAtOnce(Overloaded):
    """One caller has too many requests under way. The others must not wait for him."""


class SetAside(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """One delivery cannot be processed. It is kept whole in dead_letters."""


class UnreadablePayload(SetAside):
    """The body of an authentic webhook is not in the format that its vendor documents."""


class WriteRefused(BouncekeeperError):  # noqa: N818 - as the others of this tree
    """Postgres refuses what a batch writes, for its content. The text is asyncpg's name for it: no address is in it."""


class AlreadyStored(WriteRefused):
    """A row that was taken for new is there."""


class MonthClosed(WriteRefused):
    """Nothing can be written to the month of an event: it has no partition yet, or is being retired."""


class RequestRefused(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """A request to the API is wrong: the caller must change it."""

    def __init__(self, kind: str, detail: str, *, remedy: str, http_status: int = 422) -> None:
        """`kind` is a kebab-case word by which programs recognise this problem."""
        super().__init__(f"{detail} {remedy}")
        self.kind = kind
        self.detail = detail
        self.remedy = remedy
        self.http_status = http_status


class CursorGone(RequestRefused):
    """The database lacks the last change that a reader of the feed has read: the reader begins again."""

    def __init__(self, cursor: str) -> None:
        """`cursor` is the place after which the reader wanted to go on."""
        super().__init__(
            "cursor-gone",
            f"This database lacks the change of the cursor {cursor}: it was restored from a backup or failed "
            "over to a replica that is older than this cursor, or the cursor is from an earlier version.",
            remedy="Start again: drop what you have built from the feed, and read it from its beginning, without "
            "`after`.",
            http_status=410,
        )


class BodyCutOff(RequestRefused):
    """A body comes too slowly or in too small pieces. The rest of it is not read."""

    def __init__(self, kind: str, detail: str, *, remedy: str, http_status: int, reason: str) -> None:
        """`reason` is the label under which the connection is counted, such as slow_body."""
        super().__init__(kind, detail, remedy=remedy, http_status=http_status)
        self.reason = reason


class StopTheProcess(BouncekeeperError):  # noqa: N818 - named after what is done about it
    """The process cannot work until a person acts."""


class ImpossibleSetting(StopTheProcess):
    """The configuration contradicts itself or lacks something. The message names the remedy."""

    def __init__(self, *mistakes: str) -> None:
        """One message for each mistake."""
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class MissingRight(ImpossibleSetting):
    """Our user of Postgres lacks a right. A running processor waits if it had that right when it started."""


class WrongUsage(StopTheProcess):
    """A command line contradicts itself or lacks something. The message names the remedy."""


class SchemaOutOfDate(StopTheProcess):
    """The database is not at the version that this program needs, or its tables are gone: run `bouncekeeper migrate`.

    A running processor waits if its tables vanish, because somebody restores a backup.
    """


class DatabaseReplaced(StopTheProcess):
    """A replica has taken over, or the database was restored: what is remembered of it may be wrong now."""
