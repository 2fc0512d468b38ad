"""Money is a 64-bit integer of minor units and an ISO 4217 code. No float, anywhere.

Codes and exponents are those of ISO 4217's list one (active currencies); funds, metals and test codes are left out.
"""

from decimal import Decimal

MAX_MINOR = 2**63 - 1
"""The largest amount, in minor units, that a 64-bit column holds."""

_OTHER_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
EXPONENTS: dict[str, int] = dict.fromkeys(_TWO.split(), 2) | {
    code: exponent for exponent, codes in _OTHER_EXPONENTS.items() for code in codes.split()
}
"""Digits after the decimal point, by currency code."""


def display(*, amount_minor: int, currency: str) -> str:
    """`1999, "USD"` reads `19.99 USD`. Raises `KeyError` for an unknown currency."""
    return f"{Decimal(amount_minor).scaleb(-EXPONENTS[currency]):,f} {currency}"
