"""Every ESP that this program understands: one line each. A new one is a module here and its line."""

from worker.errors import ImpossibleSetting
from worker.providers.described import described_provider
from worker.providers.mail import mail_webhook
from worker.providers.provider import Provider
from worker.providers.vendors import (
    ahasend,
    azure_communication_services,
    brevo,
    customerio,
    elastic_email,
    forward_email,
    greenarrow,
    halon,
    haraka,
    iterable,
    kumomta,
    lettermint,
    loops,
    mailchannels,
    maileroo,
    mailersend,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    powermta,
    resend,
    scaleway_tem,
    sendpulse,
    smtp2go,
    socketlabs,
    sparkpost,
    stalwart,
    sweego,
    telnyx,
    unisender_go,
    vonage,
    zeptomail,
)
from worker.providers.vendors.amazon import amazon_ses, amazon_ses_inbound
from worker.providers.vendors.bouncekeeper import bouncekeeper
from worker.providers.vendors.mailgun import mailgun, mailgun_inbound
from worker.providers.vendors.postmark import postmark, postmark_inbound
from worker.providers.vendors.sendgrid import sendgrid, sendgrid_inbound
from worker.providers.vendors.twilio import twilio

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        ahasend.PROVIDER,
        amazon_ses.PROVIDER,
        amazon_ses_inbound.PROVIDER,
        azure_communication_services.PROVIDER,
        bouncekeeper.PROVIDER,
        brevo.PROVIDER,
        customerio.PROVIDER,
        described_provider.PROVIDER,
        elastic_email.PROVIDER,
        forward_email.PROVIDER,
        greenarrow.PROVIDER,
        halon.PROVIDER,
        haraka.PROVIDER,
        iterable.PROVIDER,
        kumomta.PROVIDER,
        lettermint.PROVIDER,
        loops.PROVIDER,
        mail_webhook.PROVIDER,
        mailchannels.PROVIDER,
        maileroo.PROVIDER,
        mailersend.PROVIDER,
        mailgun.PROVIDER,
        mailgun_inbound.PROVIDER,
        mailjet.PROVIDER,
        mailtrap.PROVIDER,
        mandrill.PROVIDER,
        postal.PROVIDER,
        postmark.PROVIDER,
        postmark_inbound.PROVIDER,
        powermta.PROVIDER,
        resend.PROVIDER,
        scaleway_tem.PROVIDER,
        sendgrid.PROVIDER,
        sendgrid_inbound.PROVIDER,
        sendpulse.PROVIDER,
        smtp2go.PROVIDER,
        socketlabs.PROVIDER,
        sparkpost.PROVIDER,
        stalwart.PROVIDER,
        sweego.PROVIDER,
        telnyx.PROVIDER,
        twilio.PROVIDER,
        unisender_go.PROVIDER,
        vonage.PROVIDER,
        zeptomail.PROVIDER,
    )
}


def provider_named(name: str) -> Provider:
    """The provider that a source or an envelope names; raises ImpossibleSetting when there is none."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise ImpossibleSetting(f'provider = "{name}" is not known: use one of {", ".join(sorted(PROVIDERS))}')
    return provider
