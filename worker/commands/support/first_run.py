"""The configuration that `up` makes when there is none: safe as it stands, and explaining itself."""

import os
import secrets
from argparse import Namespace
from pathlib import Path

from worker.commands.support.setting_flags import overrides_of
from worker.local_services.folder import told_as_mistakes
from worker.local_services.whole_file import write_once
from worker.settings.configuration_file import CONFIG_NAME, data_folder, find_config_file

TOKEN_NAME = "api-token"  # noqa: S105 - a file name
_SETTINGS = """\
# Bouncekeeper's configuration, made on the first run and yours to change; docs/configuration.md lists all there is.
# Relative file names are relative to this file's folder. Anything here can also come from the environment
# (BOUNCEKEEPER_RECEIVER_PORT) or from a flag (--receiver-port), which both win over this file.

data_directory = "."

# Without a queue of yours `bouncekeeper up` uses Postgres, and `bouncekeeper stack` a RabbitMQ that it keeps here.
# [queue]
# url = "amqp://…"      # a RabbitMQ of yours, for both

[receiver]
host = "127.0.0.1"      # put a reverse proxy with TLS in front; or 0.0.0.0 to be reached directly
port = {receiver_port}

[api]
host = "127.0.0.1"
port = {api_port}
tokens_files = ["api-token"]

[logs]
format = "console"      # "json" for machines
"""
_EXAMPLES_OF_SOURCES = """\
# One table for each webhook URL. Uncomment the ESPs you use, fill in the secret, start again, and let the ESP post to
# https://<your host>/webhooks/<name>. `bouncekeeper sources list` shows them, `bouncekeeper doctor` checks them.

# [sources.amazon-ses]
# provider = "amazon_ses"
# topics = ["arn:aws:sns:eu-west-1:111122223333:mail-feedback"]    # whose messages are believed

# [sources.sendgrid]
# provider = "sendgrid"
# secrets = ["MFkwEwYHKoZIzj0CAQYI…"]    # the verification key of the signed Event Webhook

# [sources.mailgun]
# provider = "mailgun"
# secrets = ["…"]                        # the HTTP webhook signing key

# [sources.postmark]
# provider = "postmark"
# secrets = ["postmark:…"]               # of the URL: https://postmark:<password>@<your host>/webhooks/postmark
"""


def configuration_file(arguments: Namespace) -> Path:
    """The configuration file to use; made in the data folder when there is none. Raises ImpossibleSetting."""
    named_folder = overrides_of(arguments).get("data_directory")
    path = find_config_file(flag=arguments.config, environment=os.environ, data_directory=named_folder)
    return path or make_first_configuration(
        data_folder(environment=os.environ, flag=named_folder), first_configuration()
    )


def first_configuration(*, receiver_port: int = 8025, api_port: int = 8026, sources: str = _EXAMPLES_OF_SOURCES) -> str:
    """The text of a configuration that is safe as it stands; `sources` are its tables of sources, as TOML."""
    return f"{_SETTINGS.format(receiver_port=receiver_port, api_port=api_port)}\n{sources}"


def make_first_configuration(folder: Path, text: str) -> Path:
    """Writes `bouncekeeper.toml` and a fresh API token into the data folder, readable by the owner alone.

    What is there already stays as it is. Raises ImpossibleSetting when the folder cannot be written to.
    """
    with told_as_mistakes(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_once(folder / TOKEN_NAME, secrets.token_urlsafe(32) + "\n")
        write_once(folder / CONFIG_NAME, text)
    return folder / CONFIG_NAME
