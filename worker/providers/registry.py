"""Every ESP that this program understands: one line each. A new one is a module here and its line."""

from worker.errors import ImpossibleSetting
from worker.providers import (
    amazon_ses,
    azure_communication_services,
    bouncekeeper,
    customerio,
    elastic_email,
    forward_email,
    kumomta,
    mailchannels,
    maileroo,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postmark,
    resend,
    sendgrid,
    smtp2go,
    socketlabs,
    sparkpost,
    stalwart,
    sweego,
    unisender_go,
    zeptomail,
)
from worker.providers.described import described_provider
from worker.providers.provider import Provider

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        amazon_ses.PROVIDER,
        azure_communication_services.PROVIDER,
        bouncekeeper.PROVIDER,
        customerio.PROVIDER,
        described_provider.PROVIDER,
        elastic_email.PROVIDER,
        forward_email.PROVIDER,
        kumomta.PROVIDER,
        mailchannels.PROVIDER,
        maileroo.PROVIDER,
        mailersend.PROVIDER,
        mailgun.PROVIDER,
        mailjet.PROVIDER,
        mailtrap.PROVIDER,
        mandrill.PROVIDER,
        postmark.PROVIDER,
        resend.PROVIDER,
        sendgrid.PROVIDER,
        smtp2go.PROVIDER,
        socketlabs.PROVIDER,
        sparkpost.PROVIDER,
        stalwart.PROVIDER,
        sweego.PROVIDER,
        unisender_go.PROVIDER,
        zeptomail.PROVIDER,
    )
}


def provider_named(name: str) -> Provider:
    """The provider that a source or an envelope names; raises ImpossibleSetting when there is none."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise ImpossibleSetting(f'provider = "{name}" is not known: use one of {", ".join(sorted(PROVIDERS))}')
    return provider
