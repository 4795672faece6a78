"""What every provider must do alike. A provider joins by a subclass of ProviderConformance.

The samples come from its make-believe vendor in worker.samples; what is peculiar to the vendor's shape and way of
signing is told by the class variables and the few methods of tests.providers.provider_under_test.
"""

from tests.providers.authentication_conformance import AuthenticationConformance
from tests.providers.events_conformance import EventsConformance


class ProviderConformance(AuthenticationConformance, EventsConformance):
    """The suite. Subclasses are named Test… and collected; this one is not."""
