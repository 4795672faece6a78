"""The demo's own folder: a separate instance whose sources trust the demo's keys.

```
<data folder>/demo/
├── bouncekeeper.toml    made once; its sources accept the four sample senders
├── api-token
├── seed                 SendGrid's, Mailgun's and Postmark's keys come from it
├── sns-key.pem          the key that signs as SNS, and sns-certificate.pem for its source
└── postgres/
```
The demo's contacts never mix with real ones, and its keys open no other instance.
"""

import os
import secrets
from argparse import Namespace
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from schemas.source import Secret
from worker.commands.support.first_run import first_configuration, make_first_configuration
from worker.commands.support.setting_flags import override, overrides_of
from worker.local_services.folder import told_as_mistakes
from worker.local_services.whole_file import write_once
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.mailgun import MailgunSamples
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleSender
from worker.samples.sendgrid import SendGridSamples
from worker.settings.configuration_file import CONFIG_NAME, data_folder
from worker.settings.sources import write_source

RECEIVER_PORT, API_PORT = 8035, 8036  # beside an instance on the default ports
_SEED, _SNS_KEY, _SNS_CERTIFICATE = "seed", "sns-key.pem", "sns-certificate.pem"


def use_demo_folder(arguments: Namespace) -> Path:
    """The demo's folder, beside the data of the real instance; the command line names it and its file from now on.

    Makes the configuration file and the keys if they do not exist yet. Raises ImpossibleSetting.
    """
    folder = data_folder(environment=os.environ, flag=overrides_of(arguments).get("data_directory")) / "demo"
    arguments.config = str(_configuration_file(folder))
    override(arguments, "data_directory", str(folder))
    return folder


def _configuration_file(folder: Path) -> Path:
    if (folder / CONFIG_NAME).is_file():
        return folder / CONFIG_NAME
    with told_as_mistakes(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_once(folder / _SEED, secrets.token_hex(32) + "\n")
        sns = AmazonSesSamples()
        write_once(folder / _SNS_KEY, sns.private_key_pem.decode())
        write_once(folder / _SNS_CERTIFICATE, sns.certificate_pem.decode())
        senders = demo_senders(folder)
    return make_first_configuration(folder, _configuration(senders))


def demo_senders(folder: Path) -> list[SampleSender]:
    """The four sample senders, with the keys of the folder. Raises OSError if the folder has no keys."""
    seed = bytes.fromhex((folder / _SEED).read_text())
    postmark = blake2b(seed, person=b"postmark", digest_size=16).hexdigest()
    return [
        AmazonSesSamples(private_key_pem=(folder / _SNS_KEY).read_bytes()),
        SendGridSamples(seed=seed),
        MailgunSamples(seed=seed),
        PostmarkSamples(secret=Secret(f"postmark:{postmark}")),
    ]


def source_name(sender: SampleSender) -> str:
    """The demo's source for this sender."""
    return sender.provider.replace("_", "-")


def _configuration(senders: Sequence[SampleSender]) -> str:
    tables = "\n".join(
        write_source(sender.source(source_name(sender)), certificate_file=_SNS_CERTIFICATE) for sender in senders
    )
    return first_configuration(receiver_port=RECEIVER_PORT, api_port=API_PORT, sources=tables)
