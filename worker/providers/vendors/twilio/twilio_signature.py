"""Twilio's signature over URL and form, for a form that can be read in one way only.

https://www.twilio.com/docs/usage/webhooks/webhooks-security

Names and values are signed without separators, after the URL: anybody who has seen one request can split the same bytes
into other fields, and a person who texts us writes some of these bytes. The names of fields are not a closed list, so
the bytes do not show which split is Twilio's. But everything that is read must occur in them once: a form is refused if
another field, or the URL, contains something that could be read as the status, the code, the parties or the ids of a
message.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from worker.providers.authentication.comparison import texts_match
from worker.providers.authentication.hmac_signature import bad_signature, body_hash
from worker.providers.authentication.signed_form import Field, SignedForm, ambiguous_form
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

SIGNATURE_HEADER = "x-twilio-signature"
BODY_HASH_PARAMETER = "bodySHA256"  # of a body that is not a form

# A text message with its ten pictures' addresses and what add-ons say of it; more is not a form of Twilio's.
LARGEST_FORM_BYTES = 64 * 1024

_DEFAULT_PORTS = {"https": 443, "http": 80}

_NAME = re.compile(r"[A-Z][a-z][A-Za-z0-9_]*")
_ACCOUNT = "AccountSid"
# The fields that are read, and their forms at Twilio, so that none of them ends in the middle of the next one.
_SHAPES: dict[str, re.Pattern[bytes]] = {
    _ACCOUNT: re.compile(rb"AC[0-9a-f]+"),
    "ErrorCode": re.compile(rb"[0-9]{0,6}"),
    "From": re.compile(rb"\+[0-9]+|(?!\+)(?:(?!From(?:City|Country|State|Zip)|MessagingServiceSid).)*", re.DOTALL),
    "MessageSid": re.compile(rb"[A-Z]{2}[0-9a-f]+"),
    "MessageStatus": re.compile(rb"[a-z_-]+"),
    "OptOutType": re.compile(rb"[A-Z_]+"),
    "SmsSid": re.compile(rb"[A-Z]{2}[0-9a-f]+"),
    "SmsStatus": re.compile(rb"[a-z_-]+"),
    "To": re.compile(rb"\+[0-9]+|(?!\+)(?:(?!To(?:City|Country|State|Zip)).)*", re.DOTALL),
}
_TEXT = "Body"
_READ = frozenset({*_SHAPES, _TEXT, "ChannelStatusMessage", "ErrorMessage"})
# One of these fields with the beginning of its value, as they stand in what is signed.
_LIKE_A_FIELD = re.compile(
    rb"AccountSidAC[0-9a-f]|ErrorCode[0-9]|(?:Message|Sms)Sid[A-Z]{2}[0-9a-f]|(?:Message|Sms)Status[a-z]"
    rb"|OptOutType[A-Z]|(?:From|To)(?:\+[0-9]{5}|[a-z]{3,}:)"
)
_ACCOUNT_IN_URL = re.compile(r"AccountSidAC[0-9a-f]")
# A text that takes an opt-out back must be the whole text of the person.
_CONSENTS = frozenset({b"START", b"UNSTOP"})


class TwilioSignature(SignedForm, frozen=True, kw_only=True):
    """The signature over URL and form. For JSON only the URL is signed, which contains the body's hash."""

    def signed_fields(self, request: WebhookRequest) -> Sequence[Field] | Refused:
        """The form's fields; none for a body whose hash is in the URL."""
        stated = request.query.get(BODY_HASH_PARAMETER)
        if any(_ACCOUNT_IN_URL.search(text) for text in (request.raw_query, *request.query, *request.query.values())):
            return ambiguous_form("the URL holds fields of a form")
        if stated is not None:
            return [] if texts_match(stated.lower(), body_hash(request.body, "sha256")) else bad_signature()
        if len(request.body) > LARGEST_FORM_BYTES:
            return bad_signature()
        fields = super().signed_fields(request)
        problem = None if isinstance(fields, Refused) else ambiguity(fields)
        return fields if problem is None else ambiguous_form(problem)

    def signed_urls(self, request: WebhookRequest, urls: Sequence[str], /) -> Sequence[str]:
        """The source's URLs, each as Twilio may have called it.

        Its own libraries try a URL with its port and without. What each message adds behind the `?`, and the hash of a
        JSON body, is taken from the request, also where a proxy has spelled it anew; overrides behind a `#` are for
        Twilio alone.
        """
        parameters = list(request.query.items())
        spellings = [urlencode(parameters, errors="surrogatepass", quote_via=how) for how in (quote_plus, quote)]
        queries = [query for query in (request.raw_query, *spellings) if query]
        # The body's hash proves nothing in a URL that was signed without it.
        hashed = BODY_HASH_PARAMETER in request.query
        called_urls = {}
        for url in urls:
            entered = url.partition("#")[0]
            for form in (url, entered, *_forms_of(entered)):
                if not hashed:
                    called_urls[form] = True
                called_urls.update({f"{form.partition('?')[0]}?{query}": True for query in queries})
        return list(called_urls)


def ambiguity(fields: Sequence[Field]) -> str | None:
    """Why the same bytes could be cut into other fields that tell something else; None if they could not."""
    return next(chain(_in_names(fields), _in_values(fields)), None)


def _in_names(fields: Sequence[Field]) -> Iterator[str]:
    values = dict(fields)
    for name in (_ACCOUNT, "To", *(("From",) if _TEXT in values else ())):
        if name not in values:
            yield f"{name} is missing, which is in each of Twilio's forms"
    for name, count in Counter(name for name, _ in set(fields)).items():
        if not _NAME.fullmatch(name) or _LIKE_A_FIELD.search(name.encode()):
            yield f"{name[:40]!r} is no name of Twilio's"
        if count > 1 and name in _READ:
            yield f"{name} has several values"
    consents = values.get("From", b"").startswith(b"+") and values.get(_TEXT, b"").strip().upper() in _CONSENTS
    if consents and any(_TEXT < name < "From" for name in values):
        yield f"{_TEXT} may be the beginning of what was written"


def _in_values(fields: Sequence[Field]) -> Iterator[str]:
    for name, value in fields:
        if name in _SHAPES and not _SHAPES[name].fullmatch(value):
            yield f"{name} is not written as Twilio writes it"
        if name != _TEXT and _LIKE_A_FIELD.search(value):
            yield f"{name} holds what could be another field"
        if name < _TEXT and _TEXT.encode() in value:
            yield f"{name} holds what could be {_TEXT}"


def _forms_of(url: str) -> list[str]:
    """The URL with and without its user, its port and the port that goes without saying."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:  # no URL: it fits nothing
        return []
    user, at, host = parts.netloc.rpartition("@")
    bare = host.removesuffix(f":{parts.port}")
    hosts = [bare, f"{bare}:{port}"]
    return [parts._replace(netloc=prefix + name).geturl() for prefix in {user + at, ""} for name in hosts]
