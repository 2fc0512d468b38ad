"""The company that bills, as its papers show it: from the settings."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

MAX_LOGO_BYTES = 200 * 1024
MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""Of logos, by how their files begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`lines` are its name, address and tax number. `logo` is a PNG or a JPEG, of this media type; empty for none."""

    lines: tuple[str, ...]
    footer: str
    logo: bytes = b""
    logo_media_type: str = ""


def company(*, name: str) -> Company:
    """The company by this name: an invoice keeps the one that it was issued with."""
    logo = _logo()
    lines = (
        name,
        *settings.COMPANY_ADDRESS,
        settings.COMPANY_TAX_NUMBER and f"Tax number {settings.COMPANY_TAX_NUMBER}",
    )
    return Company(
        lines=tuple(filter(None, lines)),
        footer=settings.COMPANY_FOOTER,
        logo=logo,
        logo_media_type=media_type_of(logo),
    )


def media_type_of(logo: bytes) -> str:
    """Empty where it is no image that papers can show."""
    return next((media_type for begin, media_type in MEDIA_TYPES.items() if logo.startswith(begin)), "")


def logo_fault() -> str:
    """What is wrong with the logo that COMPANY_LOGO names, or an empty string."""
    if not settings.COMPANY_LOGO:
        return ""
    try:
        logo = Path(settings.COMPANY_LOGO).read_bytes()
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if len(logo) > MAX_LOGO_BYTES:
        return f"is larger than {MAX_LOGO_BYTES // 1024} KB"
    return "" if media_type_of(logo) else "is neither a PNG nor a JPEG"


def _logo() -> bytes:
    """Papers go out without a logo that is at fault: a check tells of it."""
    return Path(settings.COMPANY_LOGO).read_bytes() if settings.COMPANY_LOGO and not logo_fault() else b""
