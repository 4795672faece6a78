"""Phone numbers of people who are made up: the samples' e-mail addresses as numbers that nobody can have."""

from hashlib import blake2b

from schemas.address import normalise_phone_number

# The country code 999 is given to nobody (ITU-T E.164, annex D); with it a number has fifteen digits at most.
_NOBODYS_COUNTRY = "+999"
_DIGITS = 11

NOBODYS_NUMBER = f"{_NOBODYS_COUNTRY}{0:0{_DIGITS}}"


def made_up_number(address: str) -> str:
    """A number as it is; for anything else one that its letters decide, another for another person."""
    if number := normalise_phone_number(address):
        return number
    digest = int.from_bytes(blake2b(address.encode(), digest_size=8).digest())
    return f"{_NOBODYS_COUNTRY}{digest % 10**_DIGITS:0{_DIGITS}}"
