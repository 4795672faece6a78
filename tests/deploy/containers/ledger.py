"""What was posted, what was answered, and what of it came into effect."""

from collections import Counter

from msgspec import Struct, field


class Ledger(Struct, kw_only=True):
    """The webhooks of one scene. Each is posted until it is answered 200, as an ESP does."""

    scene: str
    may_refuse: bool = False  # the front itself is killed
    may_cut: bool = False  # the front closes connections that callers keep open
    asks_once: bool = False  # every first post must be answered 200
    answers: Counter[int] = field(default_factory=Counter)  # how often each HTTP status
    refused: int = 0  # connections that were refused
    cut: int = 0  # open connections that ended before an answer
    reasons: Counter[str] = field(default_factory=Counter)  # what was said with answers other than 200
    accepted: set[str] = field(default_factory=set)  # addresses whose webhook was answered 200
    in_effect: int = 0  # of these, how many must not be mailed any more
    seconds: float = 0.0
    failure: str = ""  # why what was to happen did not

    @property
    def posted(self) -> int:
        """Posts, those included that were sent again."""
        return self.answers.total() + self.refused + self.cut

    @property
    def lost(self) -> int:
        """Webhooks that were answered 200 and are not in effect."""
        return len(self.accepted) - self.in_effect

    @property
    def broken(self) -> list[str]:
        """The promises that this scene has broken."""
        others = {status for status in self.answers if status not in {200, 503}}
        problems = {
            f"{self.lost} accepted webhooks are lost": self.lost != 0,
            f"{self.refused} connections were refused": self.refused and not self.may_refuse,
            f"{self.cut} connections were cut": self.cut and not self.may_cut,
            f"answers {sorted(others)} are neither 200 nor 503": others,
            f"{self.answers[503]} answers were 503: {list(self.reasons)}": self.asks_once and self.answers[503],
            "nothing was accepted": not self.accepted,
            self.failure: self.failure,
        }
        return [f"{self.scene}: {problem}" for problem, is_so in problems.items() if is_so]

    def row(self) -> str:
        """A line of the printed ledger."""
        cells = (self.posted, self.answers[200], self.answers[503], self.refused, self.cut, self.in_effect, self.lost)
        return f"{self.scene:<44}" + "".join(f"{cell:>10,}" for cell in cells) + f"{self.seconds:>9.1f}"


HEADINGS = (
    f"{'':<44}"
    + "".join(f"{heading:>10}" for heading in ("posted", "200", "503", "refused", "cut", "in effect", "lost"))
    + f"{'seconds':>9}"
)
