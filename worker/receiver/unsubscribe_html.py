"""The HTML of the unsubscribe page: no script, nothing fetched from elsewhere, readable on a phone, light and dark."""

import base64
import hashlib
from html import escape

from schemas.address import mask_address
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import CHOICE_FIELD, PAGE_CHOICES, Choice
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeLink
from worker.receiver.unsubscribe_words import ChoiceWords, UnsubscribeWords

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#5a5f66;--paper:#fff;--ground:#f3f4f6;--line:#c9cdd3;--press:#e9ecf1}
@media(prefers-color-scheme:dark){:root{--ink:#eceef1;--soft:#a9b0ba;--paper:#1d2025;--ground:#131519;--line:#474d56;--press:#2b3038}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:1.5rem;background:var(--paper);min-height:100vh}
@media(min-width:40rem){
main{margin:3rem auto;padding:2rem 2.5rem;min-height:0;border:1px solid var(--line);border-radius:.75rem}
}
h1{margin:0 0 .25rem;font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}
p{margin:.5rem 0;overflow-wrap:anywhere}
.soft{color:var(--soft)}
form{margin-top:1.25rem}
form div{margin-top:1rem}
button{width:100%;padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:transparent;
color:inherit;font:inherit;font-weight:600;text-align:left;cursor:pointer;overflow-wrap:anywhere}
button:hover{background:var(--press)}
button:focus-visible,a:focus-visible{outline:3px solid #3b82f6;outline-offset:2px}
form p{margin:.25rem 0 0 1rem;font-size:.9375rem}
a{color:inherit}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",  # the token stands in the URL
    "X-Content-Type-Options": "nosniff",
}


class UnsubscribeHtml:
    """The page and its answers, in one company's words."""

    def __init__(self, words: UnsubscribeWords, company: str) -> None:
        self._words = words
        self._company = company

    def question(self, link: UnsubscribeLink) -> str:
        """The page with the choices. It changes nothing."""
        words = self._words
        parts = [
            f"<h1>{self._fill(words.title)}</h1>",
            f'<p class="soft">{self._fill(words.whose, link)}</p>',
            f"<p>{self._fill(words.question)}</p>",
            '<form method="post">',
        ]
        for choice in PAGE_CHOICES:
            choice_words = self._of(choice, link)
            parts += [
                f'<div><button name="{CHOICE_FIELD}" value="{choice}" aria-describedby="{choice}">',
                f"{self._fill(choice_words.button, link)}</button>",
                f'<p class="soft" id="{choice}">{self._fill(choice_words.says, link)}</p></div>',
            ]
        return self._page(words.title, [*parts, "</form>"])

    def noted(self, choice: Choice, link: UnsubscribeLink) -> str:
        """The answer to a choice that is stored."""
        words = self._words
        parts = [
            f"<h1>{self._fill(words.noted_title)}</h1>",
            f'<p class="soft">{self._fill(words.whose, link)}</p>',
            f"<p>{self._fill(self._of(choice, link).noted, link)}</p>",
            f"<p>{self._fill(words.on_its_way)}</p>",
            f"<p>{self._fill(words.undo)}</p>",
            f'<p><a href="">{self._fill(words.other_choice)}</a></p>',
        ]
        return self._page(words.noted_title, parts)

    def broken_link(self) -> str:
        """The answer to a link that is not ours."""
        return self._message(self._words.broken_link_title, self._words.broken_link)

    def later(self) -> str:
        """The answer to a choice that could not be stored."""
        return self._message(self._words.later_title, self._words.later)

    def unclear(self) -> str:
        """The answer to a request from which no choice can be read. It leads back to the choices."""
        words = self._words
        return self._message(words.unclear_title, words.unclear, f'<a href="">{self._fill(words.show_choices)}</a>')

    def _message(self, title: str, text: str, link: str = "") -> str:
        parts = [f"<h1>{self._fill(title)}</h1>", f"<p>{self._fill(text)}</p>"]
        return self._page(title, [*parts, f"<p>{link}</p>"] if link else parts)

    def _of(self, choice: Choice, link: UnsubscribeLink) -> ChoiceWords:
        words = self._words
        match choice:
            case Choice.FEWER:
                return words.fewer
            case Choice.COMMERCIAL:
                return words.commercial
            case Choice.NEVER:
                return words.never
            case Choice.LIST | Choice.ONE_CLICK:
                return words.list if link.list else words.all_lists

    def _fill(self, text: str, link: UnsubscribeLink | None = None) -> str:
        """The text as HTML."""
        address = "" if link is None else mask_address(link.address.strip()).replace("***", "•••")
        filled = text.format(company=self._company, list="" if link is None else link.list, address=address)
        return escape(filled)

    def _page(self, title: str, parts: list[str]) -> str:
        head = (
            f'<!doctype html>\n<html lang="{escape(self._words.language)}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="robots" content="noindex, nofollow">\n'
            f"<title>{self._fill(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        )
        return head + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
