"""The generated tables of all providers: how each proves itself, and what becomes of its words."""

from schemas.vocabulary import Cause, Kind
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS

LEFT_OUT = (
    ("Braze", "it has no webhook for delivery reports: Currents writes to storage or to named partners"),
    ("Dotdigital", "no payload and no signature is published"),
    ("Klaviyo", "a system webhook may name its recipient only by a profile id, which takes a call of its API"),
    ("Plunk", "a workflow posts what its author writes, without the event's name: describe your own template"),
    ("UniSender (classic)", "the names of statuses and fields are not published; Unisender Go is supported"),
)
# No ESP has a word for these: they come in our own JSON alone.
_WISHES = (Kind.PREFERS_FEWER, Kind.DECLINES_COMMERCIAL, Kind.FORBIDS_CONTACT)
_KINDS_SHOWN = tuple(kind for kind in Kind if kind not in {Kind.OTHER, *_WISHES})


def page_of(provider: Provider) -> str:
    """The file name of the provider's page: `amazon-ses.md`."""
    return f"{provider.name.replace('_', '-')}.md"


def in_order() -> list[Provider]:
    """All providers, by title."""
    return sorted(PROVIDERS.values(), key=lambda provider: provider.title.lower())


def provider_rows() -> list[list[str]]:
    """One row a provider: page, name, proof, how many words, what it can tell, whose account."""
    return [
        [
            f"[{provider.title}]({page_of(provider)})",
            f"`{provider.name}`",
            provider.proof,
            str(len(provider.vocabulary)) if provider.vocabulary else "yours",
            _missing(provider),
            ", ".join(f"`{path}`" for path in sorted(provider.account_paths)) or "-",
            ", ".join(f"`{field}`" for field in provider.campaign_fields) or "-",
            "many" if provider.batches else "one",
        ]
        for provider in in_order()
    ]


def _missing(provider: Provider) -> str:
    """The kinds of event that the vendor never reports."""
    told = {kind for kind, _ in provider.vocabulary.values()}
    if not told:
        return "-"
    # A bounce whose word says nothing becomes what the server's codes say.
    if told & {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE}:
        told |= {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}
    return ", ".join(kind.value for kind in _KINDS_SHOWN if kind not in told) or "-"


def word_rows(provider: Provider) -> list[list[str]]:
    """One row for each of the vendor's words."""
    return [
        [f"`{word}`", kind.value, "" if cause is Cause.NONE else cause.value]
        for word, (kind, cause) in provider.vocabulary.items()
    ]
