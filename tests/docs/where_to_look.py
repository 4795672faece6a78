"""docs/finding-your-way.md: a newcomer's questions, each answered with file and line."""

from msgspec import Struct

from tests.docs.pages import REPOSITORY


class Place(Struct, frozen=True):
    """A line of a file, found by how it begins; what is done there."""

    file: str
    line_begins: str
    says: str

    def shown(self) -> str:
        """The place as a link. Raises LookupError if no line begins so: the page would send its reader astray."""
        lines = (REPOSITORY / self.file).read_text(encoding="utf-8").splitlines()
        number = next((number for number, line in enumerate(lines, 1) if line.startswith(self.line_begins)), None)
        if number is None:
            raise LookupError(
                f"no line of {self.file} begins with {self.line_begins!r}: correct tests/docs/where_to_look.py"
            )
        return f"[{self.file}:{number}](../{self.file}#L{number}) {self.says}"


QUESTIONS: dict[str, tuple[Place, ...]] = {
    "How do I add an ESP?": (
        Place("docs/adding-a-provider.md", "# Adding", "is the whole way, with an example that is tested;"),
        Place("worker/providers/registry.py", "PROVIDERS", "has one line for each,"),
        Place("worker/samples/registry.py", "SAMPLE_SENDERS", "one for each sender of samples."),
    ),
    "How do I add a status?": (
        Place("schemas/vocabulary.py", "class Status", "is the word, in the order of gravity;"),
        Place(
            "worker/policy/dimension.py",
            '"""What each dimension',
            "names the dimensions: one file each, with its facts, its fold, its standings and its sentences;",
        ),
        Place("worker/policy/standing.py", "def standing", "takes the gravest of all standings."),
    ),
    "How do I add a column to contacts?": (
        Place("docs/architecture.md", "## Adding a column", "lists the places: at most four;"),
        Place("worker/store/contact_rows.py", "class ContactRow", "names every column."),
    ),
    "How do I add a setting?": (
        Place(
            "worker/settings/tree.py",
            "class ReceiverSettings",
            "and its neighbours hold a field for each: flag, variable and page follow from it;",
        ),
        Place("worker/settings/contradictions.py", "def contradictions", "says what cannot be set together."),
    ),
    "How do I add a command?": (
        Place("worker/commands/catalogue.py", "COMMANDS", "has one line for each, and a module of its name beside it;"),
        Place("docs/command-line.md", "| command", "tells people of it."),
    ),
    "Where do I change a threshold?": (
        Place("docs/configuration.md", "## Policy", "changes one for an installation;"),
        Place("worker/policy/presets.toml", "[recommended", "holds the defaults."),
    ),
    "Why was jane@example.org blocked?": (
        Place("docs/command-line.md", "| `explain", "asks;"),
        Place(
            "worker/contacts/explanation.py",
            "async def contact_explanation",
            "folds her events again and tells each step;",
        ),
        Place("worker/policy/fold.py", "def fold", "is what an event does;"),
        Place("docs/classification.md", "# What", "is what the server's words mean."),
    ),
    "Where is a webhook turned away, and where does it become an event?": (
        Place("worker/receiver/webhooks.py", "class SourceWebhooks", "answers it;"),
        Place("worker/processor/parsing.py", "def parse_parcel", "parses it;"),
        Place("worker/contacts/applying.py", "async def apply_events", "lets it take effect."),
    ),
    "Where is a log line declared?": (
        Place(
            "schemas/log_events.py", "LOG_EVENTS", "names every one with its fields; an undeclared one fails the tests."
        ),
    ),
    "Which room may import which?": (Place("tests/rooms.py", "MAY_IMPORT", "is the plan, [drawn here](rooms.svg)."),),
}


def where_to_look_page() -> str:
    """docs/finding-your-way.md."""
    parts = [
        "# Finding your way",
        "<!-- generated from tests/docs/where_to_look.py by `python -m tests.docs.generated_pages`: edit it there -->",
        "What a newcomer asks first, with file and line. The rooms and their order are [drawn here](rooms.svg).",
    ]
    for question, places in QUESTIONS.items():
        parts += [f"## {question}", "\n".join(f"- {place.shown()}" for place in places)]
    return "\n\n".join(parts) + "\n"
