"""SNS messages as make-believe services sign them."""

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from worker.providers.vendors.amazon import sns

_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - as SNS signs


def signed_message(key: RSAPrivateKey, fields: Mapping[str, str], *, version: str, certificate_url: str) -> bytes:
    """The body of a message with these fields, signed over what they say."""
    unsigned = json.dumps(fields).encode()
    signature = key.sign(
        sns.string_to_sign(sns.read_sns_message(unsigned)), PKCS1v15(), _HASHES.get(version, hashes.SHA256())
    )
    body = {
        **fields,
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": certificate_url,
    }
    return json.dumps(body).encode()
