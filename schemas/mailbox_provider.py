"""Who keeps the mailboxes of a domain, for counting: told by the domain's name alone."""

from collections.abc import Mapping

OTHER = "other"

# Domains that the provider itself gives to the public. A company's own domain whose mail one of them keeps is `other`:
# only the DNS knows that, and nobody is asked for a count.
_DOMAINS: Mapping[str, tuple[str, ...]] = {
    "aol": ("aol.com", "aim.com", "aol.co.uk", "aol.de", "aol.fr"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "comcast": ("comcast.net", "xfinity.com"),
    "fastmail": ("fastmail.com", "fastmail.fm"),
    "free": ("free.fr",),
    "gmx": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "gmx.fr"),
    "google": ("gmail.com", "googlemail.com"),
    "laposte": ("laposte.net",),
    "libero": ("libero.it", "virgilio.it", "iol.it", "inwind.it"),
    "mail.ru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru"),
    "microsoft": (
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com", "windowslive.com"),
        *("hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it", "hotmail.es", "live.co.uk", "live.fr", "live.de"),
        *("live.it", "live.nl", "live.se", "live.com.au", "outlook.de", "outlook.fr", "outlook.es", "outlook.it"),
        *("outlook.com.br", "outlook.jp"),
    ),
    "naver": ("naver.com",),
    "netease": ("163.com", "126.com", "yeah.net"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "proton": ("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
    "seznam": ("seznam.cz", "email.cz", "post.cz"),
    "t-online": ("t-online.de", "magenta.de"),
    "tencent": ("qq.com", "foxmail.com"),
    "uol": ("uol.com.br", "bol.com.br"),
    "web.de": ("web.de",),
    "wp": ("wp.pl", "o2.pl"),
    "yahoo": (
        *("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it", "yahoo.es"),
        *("yahoo.ca", "yahoo.co.in", "yahoo.in", "yahoo.com.br", "yahoo.com.mx", "yahoo.com.ar", "yahoo.com.au"),
        *("yahoo.com.sg", "yahoo.com.ph", "yahoo.co.id", "yahoo.com.vn", "yahoo.gr", "yahoo.ie", "yahoo.se"),
    ),
    "yahoo.co.jp": ("yahoo.co.jp",),  # another company
    "yandex": ("yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua"),
}

_PROVIDER_OF: Mapping[str, str] = {domain: provider for provider, domains in _DOMAINS.items() for domain in domains}

MAILBOX_PROVIDERS = (*_DOMAINS, OTHER)


def mailbox_provider(domain: str) -> str:
    """One of MAILBOX_PROVIDERS. `domain` is that of a normalised address: lower case, A-labels."""
    return _PROVIDER_OF.get(domain, OTHER)
