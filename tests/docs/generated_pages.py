"""Pages that are made from the code. After a change, `python -m tests.docs.generated_pages` writes them anew."""

import inspect
import re
from collections.abc import Callable

from schemas.campaign import CampaignValue
from schemas.vocabulary import System
from tests.docs.chart_values import chart_values_page
from tests.docs.log_events_page import log_events_page
from tests.docs.pages import REPOSITORY
from tests.docs.provider_tables import LEFT_OUT, in_order, page_of, provider_rows, word_rows
from tests.docs.rooms_drawing import rooms_svg
from tests.docs.tables import table
from tests.docs.where_to_look import where_to_look_page
from worker import errors
from worker.errors import BouncekeeperError
from worker.policy.campaign_names import CAMPAIGN_NAMES
from worker.policy.other_names import NAMES

_FAMILIES = {
    "TryAgainLater": (
        "Waiting mends it. The work is kept and done again; a receiver answers with the status that makes this ESP "
        "send again, the API 503 with Retry-After, a command ends with exit code 4."
    ),
    "SetAside": (
        "This one delivery goes to `dead_letters`, whole, with the reason; its neighbours in the batch go on "
        "([operating.md](operating.md#dead-letters))."
    ),
    "WriteRefused": (
        "Only a processor meets it. It divides the batch until the event at fault is found; that event's delivery goes "
        "to `dead_letters`, and the others are stored."
    ),
    "RequestRefused": (
        "The caller of the API must change the request; the answer is a problem of RFC 9457 with the remedy "
        "([the API's description](../schemas/openapi.yaml))."
    ),
    "StopTheProcess": (
        "A person must act first. The process ends with exit code 3, and no restart helps before "
        "([command-line.md](command-line.md#exit-codes))."
    ),
}


def errors_page() -> str:
    """docs/errors.md."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip()
    parts = [
        "# Errors",
        "<!-- generated from worker/errors.py by `python -m tests.docs.generated_pages`: edit it there -->",
        (
            "Every error of Bouncekeeper's own is in one tree, and what a class inherits from says what the program "
            "does about it.\n"
            "Each message says what happened, to what, and what to do.\n"
            "What is no error of this tree is a bug: it shows its traceback and ends a command with exit code 70."
        ),
        f"<!-- snippet: a picture -->\n```text\n{tree}\n```",
    ]
    for family in BouncekeeperError.__subclasses__():
        parts += [f"## {family.__name__}", f"{_sentence(family)}\n{_FAMILIES[family.__name__]}"]
        if members := family.__subclasses__():
            parts.append(table(["error", "means"], [[f"`{error.__name__}`", _sentence(error)] for error in members]))
    return "\n\n".join(parts) + "\n"


def providers_page() -> str:
    """docs/providers/README.md."""
    head = [
        "provider",
        "`provider =`",
        "how a request proves itself",
        "words",
        "never reports",
        "account told by",
        "campaign told by",
    ]
    parts = [
        "# Providers",
        "<!-- generated from worker/providers by `python -m tests.docs.generated_pages`: edit it there -->",
        (
            "Every sender of events that Bouncekeeper understands, each with a page that says what to click.\n"
            "*Words* counts the events and classes that its vendor documents; [events.md](events.md) lists each with "
            "what it becomes.\n"
            "*Account told by* is what `account_from` of a source may name besides `metadata.KEY`, `tag.PREFIX` and "
            "`raw.EXPRESSION` ([configuration.md](../configuration.md)).\n"
            "*Campaign told by* is the vendor's own field for it; `campaign_from` may name another "
            "([campaigns.md](../campaigns.md)).\n"
            "One request carries the events of one message or of many."
        ),
        table([*head, "a request"], provider_rows()),
        (
            "A vendor that is not here can be [described in a file](described.md), can be "
            "[added as a module](../adding-a-provider.md), or can post [our own JSON](bouncekeeper.md)."
        ),
        "## Left out",
        (
            "What these publish about their webhooks is too little for an adapter that can be trusted; none of them is "
            "guessed at.\n"
            "A real payload and [a description](described.md) will do for most."
        ),
        table(["vendor", "what is missing"], [list(row) for row in LEFT_OUT]),
    ]
    return "\n\n".join(parts) + "\n"


def provider_events_page() -> str:
    """docs/providers/events.md."""
    parts = [
        "# What becomes of every vendor's words",
        "<!-- generated from worker/providers by `python -m tests.docs.generated_pages`: edit it there -->",
        (
            "Each event and class that a vendor documents, the kind and the cause that it becomes.\n"
            "Where the server's own codes and words come along, they have the last say about a failure; the table "
            "shows what it is without them.\n"
            "A word that is not here is kept as `other`, counted and logged by its name, and changes no contact."
        ),
    ]
    for provider in in_order():
        if rows := word_rows(provider):
            parts += [
                f"## {provider.title}",
                f"[How to set it up]({page_of(provider)}), [the vendor's page]({provider.documentation}).",
                table(["word", "kind", "cause"], rows),
            ]
    return "\n\n".join(parts) + "\n"


def _sentence(error: type[BouncekeeperError]) -> str:
    return re.sub(r"\s+", " ", inspect.getdoc(error) or "")


def names_page() -> str:
    """docs/names.md."""
    systems = [f"`{system.value}`" for system in System]
    rows = [[f"`{named.status.value}`", named.when.value, *named.names] for named in NAMES]
    parts = [
        "# What other systems call a status",
        "<!-- generated from worker/policy/other_names.py by `python -m tests.docs.generated_pages`: edit it there -->",
        (
            "For people who come from another system: each of our statuses, and what it is called there.\n"
            "`bouncekeeper why ADDRESS --names kartra`, `explain`, `check` and the field `names` of the API answer "
            "with such a name beside ours.\n"
            "A name says nothing about what is forbidden: that is the policy's, and its presets `kartra` and `keap` "
            "forbid what those systems forbid ([policy.md](policy.md))."
        ),
        table(["status", "and", *systems], rows),
        (
            "`kartra_leads` are the three sorts of leads that Kartra had until 2024. RuSender's words are those of "
            "`emailmassivo`.\n"
            "*On a list* means here: the person has opted in to something, whatever its scope, or somebody states that "
            "the person may be mailed, or no permission is needed."
        ),
        "## Values of campaigns",
        (
            "What became of a [campaign's](campaigns.md) message to one recipient. Only `emailmassivo` documents words "
            "of its own for it: with another system `name` is null.\n"
            "There *Soft bounced* is a full mailbox alone, and *Error* any other mailbox that is unavailable."
        ),
        table(
            ["value", *(f"`{system.value}`" for system in CAMPAIGN_NAMES)],
            [[f"`{value.value}`", *(names[value] for names in CAMPAIGN_NAMES.values())] for value in CampaignValue],
        ),
    ]
    return "\n\n".join(parts) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "docs/kubernetes-values.md": chart_values_page,
    "docs/names.md": names_page,
    "docs/errors.md": errors_page,
    "docs/log-events.md": log_events_page,
    "docs/providers/README.md": providers_page,
    "docs/providers/events.md": provider_events_page,
    "docs/rooms.svg": rooms_svg,
    "docs/finding-your-way.md": where_to_look_page,
}


if __name__ == "__main__":
    for name, make in GENERATED.items():
        (REPOSITORY / name).write_text(make(), encoding="utf-8")
