"""A bearer token that the operator's own identity provider issued to the vendor: a JSON Web Token (RFC 7519, RFC 6750).

The vendor fetches it with client credentials (RFC 6749, 4.4) and shows it with each webhook. It proves the caller, not
the body.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.public_key import load_public_key
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import numeric_date
from worker.providers.authentication.source_options import Option, checked_elsewhere
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""  # which no token carries: what cannot be read lets nobody in


ISSUER: Option[str | None] = checked_elsewhere("issuer", None, _text)
AUDIENCE: Option[str | None] = checked_elsewhere("audience", None, _text)
TOKEN_OPTIONS = (AUDIENCE, ISSUER)

_BEARER = "bearer "
_CHALLENGE = 'Bearer realm="bouncekeeper"'
_SLACK = timedelta(seconds=60)  # how far the issuer's clock may be off
_SHORTEST_SHARED_KEY_BYTES = 32  # RFC 7518, 3.2
_PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, Ed25519PublicKey)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
# Times are checked below against the parameter `now`, issuer and audience if they are configured.
_tokens = jwt.PyJWT(
    options={
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_aud": False,
        "verify_iss": False,
        "verify_sub": False,
        "verify_jti": False,
        "require": ["exp"],
        "enforce_minimum_key_length": True,
    }
)


class JsonWebToken(Struct, frozen=True):
    """`Authorization: Bearer` with a token that matches one of the secrets: public keys (PEM, or a JSON Web Key Set
    as the identity provider publishes it, RFC 7517), or shared ones for HMAC.

    The source's options `issuer` and `audience` limit which tokens of the identity provider are accepted.
    """

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = TOKEN_OPTIONS

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's keys, and the issuer and audience that it asks for."""
        return partial(self._refuse, secrets=source.secrets, issuer=ISSUER.of(source), audience=AUDIENCE.of(source))

    def _refuse(
        self,
        request: WebhookRequest,
        now: datetime,
        *,
        secrets: Sequence[Secret],
        issuer: str | None,
        audience: str | None,
    ) -> Refused | None:
        """None if the token's signature fits, it is in its time, and issuer and audience are those configured."""
        header = request.headers.get("authorization", "")
        if header[: len(_BEARER)].lower() != _BEARER:
            return Refused(
                reason="missing_credentials",
                detail="the request has no header Authorization with a bearer token: switch OAuth on for this "
                "webhook at the vendor",
                challenge=_CHALLENGE,
            )
        claims = _claims(header[len(_BEARER) :].strip(), secrets)
        if claims is None:
            return Refused(
                reason="bad_credentials",
                detail="the bearer token is none that fits this source's keys: compare them with the signing keys of "
                "the identity provider whose token URL was entered at the vendor",
                challenge=_CHALLENGE,
            )
        return _refuse_times(claims, now) or _refuse_parties(claims, issuer, audience)

    def check_secrets(self, source: Source) -> list[str]:
        """A shared key must be long, otherwise it can be guessed from a token; options must be texts."""
        problems = []
        if any(not _is_usable(secret.reveal()) for secret in source.secrets if secret.reveal()):
            problems.append(
                "one of the secrets is neither a public key (PEM, or a JSON Web Key Set) nor a shared key of 32 "
                "characters or more: copy the key by which your identity provider signs its tokens"
            )
        problems += [
            f"{option.name} = {source.options[option.name]!r}: give the text that the tokens carry"
            for option in TOKEN_OPTIONS
            if option.name in source.options and not option.of(source)
        ]
        return problems


def _is_usable(secret: str) -> bool:
    keys = _keys(secret)
    return bool(keys) and not any(
        isinstance(key, str) and len(key.encode()) < _SHORTEST_SHARED_KEY_BYTES for key in keys
    )


def _claims(token: str, secrets: Sequence[Secret]) -> dict[str, Any] | None:
    """The claims of the token, with the first key that matches it."""
    for secret in secrets:
        for key in _keys(secret.reveal()):
            try:
                claims: dict[str, Any] = _tokens.decode(token, key, algorithms=_algorithms_of(key))
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                continue  # not this key's, or no token at all
            return claims
    return None


@lru_cache(maxsize=64)
def _keys(secret: str) -> tuple[Any, ...]:
    """The secret's keys: those of a JSON Web Key Set, a public key, or otherwise the characters of the secret."""
    if secret.lstrip().startswith("{"):
        try:
            keys = [key.key for key in jwt.PyJWKSet.from_json(secret).keys]
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return ()
        return tuple(key for key in keys if isinstance(key, _PUBLIC_KEYS))
    if not secret:
        return ()
    return (load_public_key(secret) or secret,)


def _algorithms_of(key: object) -> list[str]:
    """Only those algorithms that are made for the key: else a public key would pass for a shared one."""
    if isinstance(key, rsa.RSAPublicKey):
        return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    if isinstance(key, ec.EllipticCurvePublicKey):
        return [_CURVES[key.curve.name]] if key.curve.name in _CURVES else []
    if isinstance(key, Ed25519PublicKey):
        return ["EdDSA"]
    return ["HS256", "HS384", "HS512"] if isinstance(key, str) else []


def _refuse_times(claims: dict[str, Any], now: datetime) -> Refused | None:
    expires = numeric_date(claims.get("exp"))
    begins = numeric_date(claims["nbf"]) if "nbf" in claims else now
    if expires is not None and begins is not None and begins - _SLACK <= now < expires + _SLACK:
        return None
    return Refused(
        reason="stale",
        detail="the bearer token has run out or does not hold yet: the vendor must fetch a new one, or this "
        "machine's clock is wrong",
        challenge=_CHALLENGE,
    )


def _refuse_parties(claims: dict[str, Any], issuer: str | None, audience: str | None) -> Refused | None:
    aud = claims.get("aud")
    audiences = aud if isinstance(aud, list) else [aud]
    if (issuer is None or claims.get("iss") == issuer) and (audience is None or audience in audiences):
        return None
    return Refused(
        reason="bad_credentials",
        detail="the bearer token is authentic, but its iss or aud is not the source's issuer or audience",
        challenge=_CHALLENGE,
    )
