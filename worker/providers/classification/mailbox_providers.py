"""Tokens by which mailbox providers say what their codes do not say. Each is an exact pattern.

Another server may write a short token too: `[BL21]` says something only from Yahoo. So if the report, the vendor or the
caption names the host, short tokens count only from hosts of their provider.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from schemas.vocabulary import Cause
from worker.providers.classification.remote_host import host_in_caption, is_under


class Token(Struct, frozen=True, kw_only=True, gc=False):
    """A token in a reply."""

    provider: str
    name: str
    cause: Cause


class TokenForm(Struct, frozen=True, kw_only=True, gc=False):
    """How a provider writes its tokens, in lower case. The pattern's group is the key to the cause."""

    provider: str
    cue: str  # the pattern is tried only if the text contains it
    pattern: re.Pattern[str]
    causes: Mapping[str, Cause]
    hosts: tuple[str, ...]  # domains of the provider's hosts; () if the token itself names the provider


def _form(provider: str, cue: str, pattern: str, causes: Mapping[str, Cause], hosts: tuple[str, ...] = ()) -> TokenForm:
    return TokenForm(provider=provider, cue=cue, pattern=re.compile(pattern), causes=causes, hosts=hosts)


_MICROSOFT = ("outlook.com", "hotmail.com", "live.com", "msn.com", "office365.us", "mx.microsoft", "outlook.cn")
_YAHOO = ("yahoodns.net", "yahoo.com", "yahoo.net", "aol.com")
_APPLE = ("icloud.com", "me.com", "mac.com", "apple.com")
_ORANGE = ("orange.fr", "wanadoo.fr", "voila.fr", "orange.com", "laposte.net", "laposte.fr")
_GODADDY = ("secureserver.net", "godaddy.com")
_SPECTRUM_AND_COX = ("charter.net", "charter.com", "spectrum.com", "rr.com", "twc.com", "cox.net", "cox.com")
_MIMECAST = ("mimecast.com", "mimecast.co.za", "mimecast-offshore.com")
_YANDEX = ("yandex.net", "yandex.ru", "yandex.com")
_TENCENT = ("qq.com", "foxmail.com", "tencent.com")


TOKEN_FORMS: tuple[TokenForm, ...] = (
    # Google, https://support.google.com/a/answer/3726730: 5.2.1 is an inactive account or a rate limit, 5.2.2 a full
    # mailbox, perhaps an abandoned one; gcdp is a rule of the recipient's administrator.
    _form(
        "Google",
        "p=",
        r"google\.com/[^\s?]{0,60}\?(?:[^\s?&]{1,40}&)?p=([a-z]+)",
        {
            "disableduser": Cause.MAILBOX_DISABLED,
            "overquotaperm": Cause.MAILBOX_DISABLED,
            "receivingrate": Cause.RATE_LIMITED,
            "receivingrateperm": Cause.RATE_LIMITED,
            "overquota": Cause.MAILBOX_FULL,
            "overquotatemp": Cause.MAILBOX_FULL,
            "nosuchuser": Cause.MAILBOX_DOES_NOT_EXIST,
            "blockedmessage": Cause.VIRUS,
            "unauthenticated": Cause.SENDER_AUTHENTICATION,
            "unsolicitedmessageerror": Cause.SENDER_REPUTATION,
            "unsolicitedratelimiterror": Cause.SENDER_REPUTATION,
            "unsolicitedipratelimiterror": Cause.SENDER_REPUTATION,
        },
    ),
    _form("Google", "gcdp", r"\b(gcdp)\b", {"gcdp": Cause.RECIPIENT_RESTRICTED}),
    _form("Google", "autherror", r"\b(autherror)\b", {"autherror": Cause.SENDER_AUTHENTICATION}),
    # Microsoft
    _form(
        "Microsoft",
        "resolver.",
        r"\bresolver\.(adr|rst)\.(?!ambig)",
        {"adr": Cause.MAILBOX_DOES_NOT_EXIST, "rst": Cause.RECIPIENT_RESTRICTED},
    ),
    _form(
        "Microsoft", "(s3", r"\((s31[45]0)\)", dict.fromkeys(("s3140", "s3150"), Cause.SENDER_REPUTATION), _MICROSOFT
    ),
    _form(
        "Microsoft",
        "-00",
        r"\b(rp|sc|dy|ou)-00[1-4]\b",
        {"rp": Cause.RATE_LIMITED, **dict.fromkeys(("sc", "dy", "ou"), Cause.SENDER_REPUTATION)},
        _MICROSOFT,
    ),
    _form("Microsoft", "filter agent", r"\b(content filter agent)\b", {"content filter agent": Cause.CONTENT}),
    # Yahoo and AOL, https://senders.yahooinc.com/smtp-error-codes; Apple, https://support.apple.com/102322: a Hide My
    # Email relay, a local policy. Two or three letters and two digits before the bracket: a host's name does not fit.
    _form(
        "Yahoo",
        "[",
        r"\[(tss?|bl|ph)\d{2}\]",
        {
            **dict.fromkeys(("ts", "tss", "bl"), Cause.SENDER_REPUTATION),
            "ph": Cause.CONTENT,
        },
        _YAHOO,
    ),
    _form("Yahoo", "[-", r"\[(-5|-20)\]", dict.fromkeys(("-5", "-20"), Cause.MAILBOX_DOES_NOT_EXIST), _YAHOO),
    _form("Yahoo", "(554.30)", r"\((554\.30)\)", {"554.30": Cause.MAILBOX_DISABLED}, _YAHOO),
    _form(
        "Apple",
        "[",
        r"\[(hme|cs)\d{1,2}\]",
        {"hme": Cause.SENDER_AUTHENTICATION, "cs": Cause.SENDER_REPUTATION},
        _APPLE,
    ),
    # Orange and La Poste: "552 5.1.1" is a full mailbox, and an archived one has any code. The number counts.
    *(
        _form(
            "Orange",
            cue,
            rf"\b{cue}\w{{0,20}}_(\d{{3}})\b",
            {
                "416": Cause.MAILBOX_DOES_NOT_EXIST,
                "417": Cause.MAILBOX_FULL,
                **dict.fromkeys(("420", "426"), Cause.MAILBOX_DISABLED),
                **dict.fromkeys(("102", "103", "104"), Cause.SENDER_REPUTATION),
                "506": Cause.CONTENT,
                "514": Cause.MESSAGE_TOO_LARGE,
                "517": Cause.SENDER_AUTHENTICATION,
            },
            _ORANGE,
        )
        for cue in ("ofr", "lpn")
    ),
    # GoDaddy, https://www.godaddy.com/help/what-does-my-email-bounceback-mean-3568
    _form(
        "GoDaddy",
        "ib",
        r"\bib(\d{3})\b",
        {
            **dict.fromkeys(("103", "104", "105", "106", "110", "111", "112", "113"), Cause.SENDER_REPUTATION),
            **dict.fromkeys(("108", "508"), Cause.SENDER_AUTHENTICATION),
            **dict.fromkeys(("401", "501", "502", "506"), Cause.SENDER_CONFIGURATION),
            **dict.fromkeys(("007", "504", "510", "605", "607"), Cause.RATE_LIMITED),
            "101": Cause.SERVER_UNAVAILABLE,
            "212": Cause.CONTENT,
            "705": Cause.VIRUS,
        },
        _GODADDY,
    ),
    # Spectrum and Cox number their acceptable-use blocks.
    _form("Spectrum", "aup#", r"\b(aup)#", {"aup": Cause.SENDER_REPUTATION}, _SPECTRUM_AND_COX),
    # Mimecast answers the first to senders that it does not know well, Tencent the second to those that are too fast.
    _form(
        "Mimecast",
        "internal resource",
        r"\b(internal resource)s? (?:are |is )?temporarily\b",
        {"internal resource": Cause.GREYLISTED},
        _MIMECAST,
    ),
    _form(
        "Tencent",
        "or access denied",
        r"\b(mailbox unavailable or access denied)\b",
        {"mailbox unavailable or access denied": Cause.RATE_LIMITED},
        _TENCENT,
    ),
    # Yandex, https://yandex.com/support/mail/bounces/yandex.html: a blocked mailbox; an address that does not exist.
    _form(
        "Yandex",
        "target address",
        r"\b(policy rejection on the target address)",
        {"policy rejection on the target address": Cause.MAILBOX_DISABLED},
        _YANDEX,
    ),
    _form(
        "Yandex",
        "no correct recipients",
        r"\b(no correct recipients)",
        {"no correct recipients": Cause.MAILBOX_DOES_NOT_EXIST},
        _YANDEX,
    ),
    # NetEase (163, 126, yeah), http://mail.163.com/help/help_spam_16.htm: the step, and what was wrong with it.
    *(
        _form(
            "NetEase",
            f" {name} ",
            rf"\b([a-z]{{2}}:[a-z]{{3}}) {name}\b",
            {
                **dict.fromkeys(("hl:rep", "hl:ihu", "hl:mep", "hl:ipb", "dt:rbl"), Cause.SENDER_REPUTATION),
                **dict.fromkeys(("hl:icc", "hl:ifc", "mi:dmc", "mi:sfq", "mi:stc"), Cause.RATE_LIMITED),
                **dict.fromkeys(("rp:drc", "rp:qrc", "rp:rcl", "rp:trc"), Cause.RATE_LIMITED),
                **dict.fromkeys(("mi:cel", "mi:ccl", "mi:nhd", "mi:imf", "mi:spb"), Cause.SENDER_CONFIGURATION),
                **dict.fromkeys(
                    ("rp:cel", "rp:ccl", "rp:frl", "dt:sum", "wm:bli", "wm:blu"), Cause.SENDER_CONFIGURATION
                ),
                **dict.fromkeys(("mi:spf", "mi:dma"), Cause.SENDER_AUTHENTICATION),
                "dt:spm": Cause.CONTENT,
            },
        )
        for name in ("163", "126", "yeah", "188", "netease")
    ),
)
# By cue: a text contains the token only if one of these is among its words, which consist of letters alone.
_WORDS: dict[str, tuple[str, ...]] = {
    "p=": ("p",),
    "(s3": ("s",),
    "-00": ("rp", "sc", "dy", "ou"),
    "filter agent": ("filter",),
    "resolver.": ("resolver",),
    "aup#": ("aup",),
    "internal resource": ("internal",),
    "or access denied": ("unavailable",),
    "target address": ("target",),
    "no correct recipients": ("correct",),
    **{f" {name} ": ("hl", "mi", "rp", "dt", "wm") for name in ("163", "126", "yeah", "188", "netease")},
    **{cue: (cue,) for cue in ("gcdp", "autherror", "ib")},
}
# The cues that are not words, or only the beginning of one.
_MARKS = ("[", "(554.30)", "_")
_BY_WORD: dict[str, tuple[TokenForm, ...]] = {
    word: tuple(form for form in TOKEN_FORMS if word in _WORDS.get(form.cue, ()))
    for words in _WORDS.values()
    for word in words
}
_ALL_WORDS = frozenset(_BY_WORD)
_BY_MARK = tuple(form for form in TOKEN_FORMS if form.cue not in _WORDS)


def token_in(text: str, words: frozenset[str], *, caption: str = "", remote_host: str = "") -> Token | None:
    """The first token in the reply's own words; None if there is none. `text` is in lower case.

    `remote_host` is the host that the vendor or the report names. If the caption around the words names a host, that
    one counts.
    """
    for word in sorted(_ALL_WORDS & words):
        if (token := _find(_BY_WORD[word], text, caption, remote_host)) is not None:
            return token
    if any(mark in text for mark in _MARKS):
        return _find(_BY_MARK, text, caption, remote_host)
    return None


def _find(forms: tuple[TokenForm, ...], text: str, caption: str, remote_host: str) -> Token | None:
    for form in forms:
        if form.cue in text:
            for match in form.pattern.finditer(text):
                cause = form.causes.get(match.group(1))
                if cause is not None and _is_theirs(form, caption, remote_host):
                    return Token(provider=form.provider, name=match.group(), cause=cause)
    return None


def _is_theirs(form: TokenForm, caption: str, remote_host: str) -> bool:
    """False if the host is known, and is not the provider's."""
    if not form.hosts:
        return True
    host = host_in_caption(caption) or remote_host
    return not host or is_under(host, form.hosts)
