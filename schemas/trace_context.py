"""The place of a span in its trace, as it travels from process to process: the headers of W3C Trace Context.

Source: https://www.w3.org/TR/trace-context/
"""

from msgspec import Struct

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"


class TraceContext(Struct, frozen=True, kw_only=True, gc=False):
    """Both headers. Whoever reads them checks them: they may come from a caller or from another version."""

    traceparent: str
    tracestate: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are set, by their names."""
        headers = {TRACEPARENT: self.traceparent}
        if self.tracestate:
            headers[TRACESTATE] = self.tracestate
        return headers
