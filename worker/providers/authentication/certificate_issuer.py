"""Checks the issuer of a certificate, for vendors with their own authority, whose signing certificates change."""

from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from worker.providers.authentication.public_key import load_certificate


def is_issued_by(certificate_pem: bytes, issuers_pem: bytes, *, now: datetime) -> bool:
    """True if one of the issuers has signed the certificate, may sign certificates and is valid now.

    Every issuer in `issuers_pem` is trusted directly, so chains need not be followed.
    """
    certificate = load_certificate(certificate_pem)
    if certificate is None:
        return False
    return any(
        issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc and _has_signed(issuer, certificate)
        for issuer in _load_authorities(issuers_pem)
    )


@lru_cache(maxsize=16)
def _load_authorities(pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return ()
    return tuple(certificate for certificate in certificates if _is_authority(certificate))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (
        ValueError,
        TypeError,
        InvalidSignature,
        UnsupportedAlgorithm,
    ):  # the name, key or algorithm of another issuer
        return False
    return True
