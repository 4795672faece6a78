"""Every make-believe ESP: one line each, under the name that its provider has in worker.providers.registry."""

from collections.abc import Callable

from worker.samples.ahasend import AhaSendSamples
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.azure_communication_services import AzureCommunicationServicesSamples
from worker.samples.bouncekeeper import BouncekeeperSamples
from worker.samples.brevo import BrevoSamples
from worker.samples.customerio import CustomerIoSamples
from worker.samples.described import DescribedSamples
from worker.samples.elastic_email import ElasticEmailSamples
from worker.samples.forward_email import ForwardEmailSamples
from worker.samples.greenarrow import GreenArrowSamples
from worker.samples.halon import HalonSamples
from worker.samples.haraka import HarakaSamples
from worker.samples.iterable import IterableSamples
from worker.samples.kumomta import KumoMtaSamples
from worker.samples.lettermint import LettermintSamples
from worker.samples.loops import LoopsSamples
from worker.samples.mail import (
    AmazonSesInboundSamples,
    MailgunInboundSamples,
    MailSamples,
    PostmarkInboundSamples,
    SendGridInboundSamples,
)
from worker.samples.mailchannels import MailChannelsSamples
from worker.samples.maileroo import MailerooSamples
from worker.samples.mailersend import MailerSendSamples
from worker.samples.mailgun import MailgunSamples
from worker.samples.mailjet import MailjetSamples
from worker.samples.mailtrap import MailtrapSamples
from worker.samples.mandrill import MandrillSamples
from worker.samples.postal import PostalSamples
from worker.samples.postmark import PostmarkSamples
from worker.samples.powermta import PowerMtaSamples
from worker.samples.resend import ResendSamples
from worker.samples.sample import SampleSender
from worker.samples.scaleway_tem import ScalewayTemSamples
from worker.samples.sendgrid import SendGridSamples
from worker.samples.sendpulse import SendPulseSamples
from worker.samples.smtp2go import Smtp2goSamples
from worker.samples.socketlabs import SocketLabsSamples
from worker.samples.sparkpost import SparkPostSamples
from worker.samples.stalwart import StalwartSamples
from worker.samples.sweego import SweegoSamples
from worker.samples.telnyx import TelnyxSamples
from worker.samples.twilio import TwilioSamples
from worker.samples.unisender_go import UnisenderGoSamples
from worker.samples.vonage import VonageSamples
from worker.samples.zeptomail import ZeptoMailSamples

# Called without arguments, each makes a sender with keys of its own.
SAMPLE_SENDERS: dict[str, Callable[[], SampleSender]] = {
    AhaSendSamples.provider: AhaSendSamples,
    AmazonSesInboundSamples.provider: AmazonSesInboundSamples,
    AmazonSesSamples.provider: AmazonSesSamples,
    AzureCommunicationServicesSamples.provider: AzureCommunicationServicesSamples,
    BouncekeeperSamples.provider: BouncekeeperSamples,
    BrevoSamples.provider: BrevoSamples,
    CustomerIoSamples.provider: CustomerIoSamples,
    DescribedSamples.provider: DescribedSamples,
    ElasticEmailSamples.provider: ElasticEmailSamples,
    ForwardEmailSamples.provider: ForwardEmailSamples,
    GreenArrowSamples.provider: GreenArrowSamples,
    HalonSamples.provider: HalonSamples,
    HarakaSamples.provider: HarakaSamples,
    IterableSamples.provider: IterableSamples,
    KumoMtaSamples.provider: KumoMtaSamples,
    LettermintSamples.provider: LettermintSamples,
    LoopsSamples.provider: LoopsSamples,
    MailChannelsSamples.provider: MailChannelsSamples,
    MailSamples.provider: MailSamples,
    MailerSendSamples.provider: MailerSendSamples,
    MailerooSamples.provider: MailerooSamples,
    MailgunInboundSamples.provider: MailgunInboundSamples,
    MailgunSamples.provider: MailgunSamples,
    MailjetSamples.provider: MailjetSamples,
    MailtrapSamples.provider: MailtrapSamples,
    MandrillSamples.provider: MandrillSamples,
    PostalSamples.provider: PostalSamples,
    PostmarkInboundSamples.provider: PostmarkInboundSamples,
    PostmarkSamples.provider: PostmarkSamples,
    PowerMtaSamples.provider: PowerMtaSamples,
    ResendSamples.provider: ResendSamples,
    ScalewayTemSamples.provider: ScalewayTemSamples,
    SendGridInboundSamples.provider: SendGridInboundSamples,
    SendGridSamples.provider: SendGridSamples,
    SendPulseSamples.provider: SendPulseSamples,
    Smtp2goSamples.provider: Smtp2goSamples,
    SocketLabsSamples.provider: SocketLabsSamples,
    SparkPostSamples.provider: SparkPostSamples,
    StalwartSamples.provider: StalwartSamples,
    SweegoSamples.provider: SweegoSamples,
    TelnyxSamples.provider: TelnyxSamples,
    TwilioSamples.provider: TwilioSamples,
    UnisenderGoSamples.provider: UnisenderGoSamples,
    VonageSamples.provider: VonageSamples,
    ZeptoMailSamples.provider: ZeptoMailSamples,
}
