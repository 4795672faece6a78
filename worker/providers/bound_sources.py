"""All sources that a processor may meet, each bound once."""

from collections.abc import Iterable, Mapping

from schemas.envelope import Envelope
from schemas.source import Source
from worker.providers.bound_source import BoundSource
from worker.providers.provider import Provider
from worker.providers.registry import ENVELOPE_PROVIDERS


class BoundSources:
    """The configured sources. If an envelope names another one, that is bound without options."""

    def __init__(self, sources: Iterable[Source] = (), providers: Mapping[str, Provider] = ENVELOPE_PROVIDERS) -> None:
        self._providers = providers
        self._configured = {source.name: source for source in sources}
        self._bound: dict[tuple[str, str, str], BoundSource] = {}
        for source in self._configured.values():
            self._bind(source.name, source.provider, source.account)

    def of(self, envelope: Envelope) -> BoundSource | None:
        """The envelope's source, as it is configured now; None if its provider is unknown.

        The provider is always that of the envelope, even if the source has another one now.
        """
        bound = self._bound.get((envelope.source, envelope.provider, envelope.account))
        return bound or self._bind(envelope.source, envelope.provider, envelope.account)

    def _bind(self, name: str, provider: str, account: str) -> BoundSource | None:
        known = self._providers.get(provider)
        if known is None:
            return None
        source = self._configured.get(name) or Source(name=name, provider=provider, account=account)
        bound = self._bound[name, provider, account] = known.bind(source)
        return bound
