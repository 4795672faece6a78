"""All ESPs that this program understands, one line each. A new ESP is a module and its line here."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from worker.errors import ImpossibleSetting
from worker.providers.provider import Provider
from worker.providers.vendors.unsubscribe_page import unsubscribe_page

# Each module defines its PROVIDER.
_MODULES = (
    "described.described_provider",
    "mail.mail_webhook",
    "vendors.ahasend",
    "vendors.amazon.amazon_ses",
    "vendors.amazon.amazon_ses_inbound",
    "vendors.azure_communication_services",
    "vendors.bouncekeeper.bouncekeeper",
    "vendors.brevo",
    "vendors.customerio",
    "vendors.elastic_email",
    "vendors.forward_email",
    "vendors.greenarrow",
    "vendors.halon",
    "vendors.haraka",
    "vendors.iterable",
    "vendors.kumomta",
    "vendors.lettermint",
    "vendors.loops",
    "vendors.mailchannels",
    "vendors.maileroo",
    "vendors.mailersend",
    "vendors.mailgun.mailgun",
    "vendors.mailgun.mailgun_inbound",
    "vendors.mailjet",
    "vendors.mailtrap",
    "vendors.mandrill",
    "vendors.postal",
    "vendors.postmark.postmark",
    "vendors.postmark.postmark_inbound",
    "vendors.powermta",
    "vendors.resend",
    "vendors.scaleway_tem",
    "vendors.sendgrid.sendgrid",
    "vendors.sendgrid.sendgrid_inbound",
    "vendors.sendpulse",
    "vendors.smtp2go",
    "vendors.socketlabs",
    "vendors.sparkpost",
    "vendors.stalwart",
    "vendors.sweego",
    "vendors.telnyx",
    "vendors.twilio.twilio",
    "vendors.unisender_go",
    "vendors.vonage",
    "vendors.zeptomail",
)


def modules_in(room: str, names: tuple[str, ...]) -> Iterator[ModuleType]:
    """The modules of these names in a room of the program."""
    for name in names:
        yield import_module(f"worker.{room}.{name}")


PROVIDERS: dict[str, Provider] = {module.PROVIDER.name: module.PROVIDER for module in modules_in("providers", _MODULES)}
# All providers that an envelope may name. No source can have the unsubscribe page as its provider.
ENVELOPE_PROVIDERS: dict[str, Provider] = {**PROVIDERS, unsubscribe_page.PROVIDER.name: unsubscribe_page.PROVIDER}


def provider_named(name: str) -> Provider:
    """The provider that a source or an envelope names; raises ImpossibleSetting if it is unknown."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise ImpossibleSetting(f'provider = "{name}" is not known: use one of {", ".join(sorted(PROVIDERS))}')
    return provider
