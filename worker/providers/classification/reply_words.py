"""A text as words, without the names of things.

`spam-filter.example.org said user jane@virus.example unknown` becomes `HOST said user ADDRESS unknown`: the name of a
host, a mailbox or a queue id says nothing about a failure. A word in capitals stands for a thing, and all other words
are in lower case. Numbers and punctuation are left out.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

ADDRESS, RECIPIENT, SENDER, HOST, IP, URL, ID = "ADDRESS", "RECIPIENT", "SENDER", "HOST", "IP", "URL", "ID"
BLOCKLIST = "BLOCKLIST"  # a host or a page of a public block list
THINGS = frozenset({ADDRESS, RECIPIENT, SENDER, HOST, IP, URL, ID, BLOCKLIST})

# Public block lists of senders, by the domains of their look-ups and their explanations.
_BLOCKLIST = re.compile(
    r"(?:^|[./])(?:spamhaus\.(?:org|net|com)|spamcop\.net|barracudacentral\.org|sorbs\.net|uceprotect\.net|abuseat\.org"
    r"|dnsbl\.info|psbl\.surriel\.com|mailspike\.(?:net|org)|senderscore\.(?:com|org)|spamrats\.com|dnswl\.org"
    r"|backscatterer\.org|njabl\.org|dsbl\.org|invaluement\.com|blocklist\.de|0spam\.org|hostkarma\.junkemailfilter\.com"
    r"|(?:support|ipcheck)\.proofpoint\.com|rfc-ignorant\.org|abusix\.(?:com|zone)|spameatingmonkey\.net|manitu\.net|truncate\.gbudb\.net|cymru\.com)"
    r"(?:$|[/:])"
)

_DELIMITERS = re.compile(r"[<>()\[\]{}\"\u201c\u201d\u201e«»=,;|*]+|:(?=<)|'(?=\s|$)|(?<!\w)'|\.{2,}|\u2026")
_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WORD = re.compile(r"[^\W\d_]+")
_HOST = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})+\.?")
_CODES = re.compile(r"(?:[245]\d\d-)?[245]\.\d{1,3}\.\d{1,3}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_HAS_LETTER = re.compile(r"[^\W\d_]")
_HAS_DIGIT = re.compile(r"\d")
_ENDS = ".,:;!?'`-\u2013\u2014/\\#%&+~^$"
# An address and nothing else, as in most replies.
_ADDRESS_ALONE = re.compile(r"<?([\w.+-]+@[\w.-]*\w)(>?(?:\.{3}|[:,.])?)")
_ENDS_OF_SENTENCE = frozenset({".", ">.", "...", ">..."})
_SHORTEST_ID = 6  # letters and digits mixed: a queue id, a time
_STOPS = (".", "!", "?", ";", ".)", ").", '."', '".')

# Generic top-level domains that occur in mail; those of countries have two letters. Other names are hosts if they have
# three labels or more: two words may lack the blank between them.
_TOP_LEVEL_DOMAINS = frozenset(
    {
        *("com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "mobi", "arpa", "email"),
        *("mail", "online", "shop", "store", "app", "dev", "cloud", "xyz", "site", "example", "test", "invalid"),
        *("localhost", "local", "lan", "internal", "localdomain", "home", "corp"),
    }
)
_WORDS_LIKE_COUNTRIES = frozenset(
    {
        *("is", "it", "in", "to", "or", "as", "we", "no", "if", "of", "my", "be", "at", "by", "on", "an", "do", "us"),
        *("me", "so", "am"),
    }
)

# One word for one thing, so that each wording is written once: British and American spelling, contractions, and the
# misspellings of servers.
_RESPELLED: dict[str, tuple[str, ...]] = {
    **{f"{verb}n't": (verb, "not") for verb in ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had")},
    **{f"{verb}n't": (verb, "not") for verb in ("could", "would", "should", "must", "need")},
    **{f"{verb}nt": (verb, "not") for verb in ("do", "does", "did", "is", "are", "was", "has", "have", "could")},
    **dict.fromkeys(("dosn't", "dosen't", "dosnt", "doesen't", "doen't"), ("does", "not")),
    **dict.fromkeys(("can't", "cant"), ("cannot",)),
    **dict.fromkeys(("won't", "wont"), ("will", "not")),
    **{
        f"{prefix}{stem}is{ending}": (f"{prefix}{stem}iz{ending}",)
        for stem, prefix in (("author", ""), ("author", "un"), ("recogn", ""), ("recogn", "un"), ("organ", ""))
        for ending in ("e", "ed", "ation", "ations", "ing")
    },
    **dict.fromkeys(("e-mail", "emails", "e-mails", "mails"), ("email",)),
    "mailboxes": ("mailbox",),
    **dict.fromkeys(("mbox", "mailbx"), ("mailbox",)),
    "mailsize": ("mail", "size"),
    "exists": ("exist",),
    **dict.fromkeys(("unexistent", "inexistent", "inexistant", "nonexisting", "unexisting"), ("nonexistent",)),
    **dict.fromkeys(("unknow", "unkown", "unknwon", "unknonw"), ("unknown",)),
    **dict.fromkeys(("recepient", "recipent", "reciepient", "receipient", "reciever", "receiver"), ("recipient",)),
    **dict.fromkeys(("adress", "addres", "addresse"), ("address",)),
    **dict.fromkeys(("unavaiable", "unavailble", "unavalaible", "unavailabe"), ("unavailable",)),
    **dict.fromkeys(("exeeded", "exceded", "excedeed", "exceeds", "exceed", "exceeding"), ("exceeded",)),
    "behaviour": ("behavior",),
    "cancelled": ("canceled",),
    "de-activated": ("deactivated",),
    "non-existent": ("nonexistent",),
    "non-existant": ("nonexistent",),
}

# A sentence that begins with one of these tells the reader what to do, not what was wrong.
_ADVICE = frozenset({"please", "contact", "visit", "ask", "learn", "refer", "bitte", "veuillez"})
_ADVICE_PAIRS = frozenset(
    {
        *(("for", word) for word in ("more", "further", "help", "assistance", "information", "details", "additional")),
        *(("to", word) for word in ("resolve", "learn", "prevent", "request", "unblock", "remove", "fix", "avoid")),
        *(("if", word) for word in ("you", "your", "this", "the", "not")),
        *(("see", word) for word in (URL, "our", "the", "also", HOST, "http", "https")),
        *(("try", word) for word in ("again", "to", "resending", "checking")),
        *(("go", word) for word in ("to",)),
        *(("check", word) for word in (URL, "that", "your", "with", "the", "for")),
        *(("more", word) for word in ("information", "info", "details")),
    }
)


class Words(Struct, frozen=True, kw_only=True, gc=False):
    """Each part begins and ends with a blank, so that ` user unknown ` finds whole words; it is "" if it is empty."""

    statement: str  # what is said
    advice: str  # what the reader should do about it


def read_words(text: str, *, recipient: str = "", sender: str = "") -> Words:
    """The words of a text in lower case. `recipient` and `sender` are recognised if they are known."""
    statement: list[str] = []
    advice: list[str] = []
    sentence: list[str] = []
    cached = _TOKENS.get
    for token in text.split():
        read = cached(token)
        if read is None:
            if token.isalpha() and token not in _RESPELLED:
                sentence.append(token)
                continue
            if "@" in token or _IPV4.search(token):  # read by what stands beside it
                read = _read_thing(token, sentence, recipient, sender)
            else:
                read = _read_alone(token, [], "", "")
                if len(_TOKENS) >= _MOST_TOKENS:
                    _TOKENS.clear()
                _TOKENS[token] = read
        words, begins, ends = read
        if begins and sentence:
            _end_sentence(sentence, statement, advice)
            sentence = []
        sentence += words
        if ends and sentence:
            _end_sentence(sentence, statement, advice)
            sentence = []
    if sentence:
        _end_sentence(sentence, statement, advice)
    return Words(statement=_spaced(statement), advice=_spaced(advice))


def respell(phrase: str) -> tuple[str, ...]:
    """The words of a phrase, as `read_words` spells them."""
    return tuple(word for written in phrase.split() for word in _RESPELLED.get(written, (written,)))


def spellings(words: frozenset[str]) -> frozenset[str]:
    """The words, and all other spellings of them that a text may have."""
    return words.union(
        letters
        for written, respelled in _RESPELLED.items()
        if not words.isdisjoint(respelled)
        for letters in _WORD.findall(written)
    )


# The words of recent tokens, and whether a sentence begins or ends with them: nearly all replies have the same tokens.
_TOKENS: dict[str, tuple[tuple[str, ...], bool, bool]] = {}
_MOST_TOKENS = 20_000


def _read_thing(token: str, before: list[str], recipient: str, sender: str) -> tuple[tuple[str, ...], bool, bool]:
    """Reads a token with an address or an IP address. Most are nothing else."""
    alone = _ADDRESS_ALONE.fullmatch(token)
    if alone is None:
        return _read_alone(token, before, recipient, sender)
    address, ending = alone.groups()
    thing = RECIPIENT if address == recipient else SENDER if address == sender else ADDRESS
    return (thing,), False, ending in _ENDS_OF_SENTENCE


def _read_alone(token: str, before: list[str], recipient: str, sender: str) -> tuple[tuple[str, ...], bool, bool]:
    if token.isdigit() or _CODES.fullmatch(token):
        return (), False, False
    words = before[-2:]
    known = len(words)
    _read_token(token, words, recipient, sender)
    if known and words[:known] != before[-known:]:
        before[-known:] = words[:known]  # the name before an IP address is a host's
    return tuple(words[known:]), token[0] == "(", token.endswith(_STOPS)


def _end_sentence(sentence: list[str], statement: list[str], advice: list[str]) -> None:
    """Adds a sentence to its part. It is advice from "please" on."""
    first = sentence[0]
    if first in _ADVICE or (len(sentence) > 1 and (first, sentence[1]) in _ADVICE_PAIRS):
        advice += sentence
    elif "please" in sentence:
        place = sentence.index("please")
        statement += sentence[:place]
        advice += sentence[place:]
    else:
        statement += sentence


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} " if words else ""


def _read_token(token: str, words: list[str], recipient: str, sender: str) -> None:
    """Adds the words of a token that has other characters than letters."""
    if token[3:4] == "-" and token[:3].isdigit():
        token = token[4:]  # the reply code that opens a line
    bare = token.rstrip(_ENDS)
    if bare.isalpha():
        words += _RESPELLED.get(bare, (bare,))
    elif _HAS_LETTER.search(bare) is None:
        if _IPV4.search(bare):
            _add_ip(words, is_bracketed="[" in token)
    else:
        for place, piece in enumerate(_DELIMITERS.split(token)):
            if word := piece.strip(_ENDS):
                _read_piece(word, words, recipient, sender, is_bracketed=place > 0 and "[" in token)


def _read_piece(word: str, words: list[str], recipient: str, sender: str, *, is_bracketed: bool) -> None:
    """Adds what stands between two delimiters: a word, the name of a thing, or words that another sign joins."""
    if word.isalpha() or word in _RESPELLED:
        words += _RESPELLED.get(word, (word,))
    elif "@" in word:
        words.append(RECIPIENT if word == recipient else SENDER if word == sender else ADDRESS)
    elif "://" in word or word.startswith("www."):
        words.append(BLOCKLIST if _BLOCKLIST.search(word) else URL)
    elif _IPV4.fullmatch(word) or word.count(":") > 1:
        _add_ip(words, is_bracketed=is_bracketed)
    elif "." in word and is_host(word):
        words.append(BLOCKLIST if _BLOCKLIST.search(word) else HOST)
    elif len(word) >= _SHORTEST_ID and _HAS_DIGIT.search(word) is not None:
        words.append(ID)
    else:
        for letters in _LETTERS.findall(word.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")):
            words += _RESPELLED.get(letters, (letters,))


def _add_ip(words: list[str], *, is_bracketed: bool) -> None:
    """Adds an IP address. The name in `host name [192.0.2.1]` is a host's, even without a dot."""
    if is_bracketed and words and words[-1] not in THINGS and (len(words) > 1 and words[-2] == "host"):
        words[-1] = HOST
    words.append(IP)


def is_host(word: str) -> bool:
    """True for the name of a host or a domain. "unknown.please" is two words that lack the blank between them."""
    if not _HOST.fullmatch(word):
        return False
    labels = word.rstrip(".").split(".")
    last = labels[-1]
    if not last.isalpha() or len(last) == 1:
        return last.startswith("xn--") and len(labels) > 1
    if len(labels) > 2:  # noqa: PLR2004 - see _TOP_LEVEL_DOMAINS
        return True
    if len(last) == 2:  # noqa: PLR2004 - a country
        return last not in _WORDS_LIKE_COUNTRIES or not labels[0].isalpha()
    return last in _TOP_LEVEL_DOMAINS or not labels[0].isalpha()
