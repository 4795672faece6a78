"""Every make-believe ESP: one line for each module. Each provider of worker.providers.registry has a sender here."""

from collections.abc import Callable

from worker.providers.registry import modules_in
from worker.samples.sample import SampleSender

# Each module ends in its SENDERS.
_MODULES = (
    "ahasend",
    "amazon_ses",
    "azure_communication_services",
    "bouncekeeper",
    "brevo",
    "customerio",
    "described",
    "elastic_email",
    "forward_email",
    "greenarrow",
    "halon",
    "haraka",
    "iterable",
    "kumomta",
    "lettermint",
    "loops",
    "mail",
    "mailchannels",
    "maileroo",
    "mailersend",
    "mailgun",
    "mailjet",
    "mailtrap",
    "mandrill",
    "postal",
    "postmark",
    "powermta",
    "resend",
    "scaleway_tem",
    "sendgrid",
    "sendpulse",
    "smtp2go",
    "socketlabs",
    "sparkpost",
    "stalwart",
    "sweego",
    "telnyx",
    "twilio",
    "unisender_go",
    "vonage",
    "zeptomail",
)


# Called without arguments, each makes a sender with keys of its own.
SAMPLE_SENDERS: dict[str, Callable[[], SampleSender]] = {
    sender.provider: sender for module in modules_in("samples", _MODULES) for sender in module.SENDERS
}
