"""Job ids: short, unique, sorted by time, and fit for DNS names and file names."""

import secrets
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS, _RANDOM_DIGITS = 10, 8


def new_job_id() -> str:
    """``j``, the milliseconds since 1970 and 40 random bits, both in lower-case base 32: 19 characters."""
    milliseconds = time.time_ns() // 1_000_000
    return "j" + _base32(milliseconds, _TIME_DIGITS) + _base32(secrets.randbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def default_name(template: str, job_id: str) -> str:
    """The name of a job that was given none."""
    return f"{template}-{job_id[-6:]}"


def _base32(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 32)
        text = _DIGITS[digit] + text
    return text
