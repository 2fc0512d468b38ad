"""What people do in `test_half_a_year.py` about six more customers, who pay in euros: on the first day and on 15 March.

Each pays 31.00 a month for a seat, all but one from 10 February on. What they must have been billed is in that file.
"""

import datetime
from dataclasses import dataclass, field
from typing import Any

from tests.support.platforms import Api

MIDDLE = datetime.date(2026, 3, 15)
FEBRUARY_10 = {"anchor_date": "2026-02-10"}
COUPON = {"percent": "10", "periods": 2, "reason": "Coupon SPRING"}


@dataclass
class People:
    api: Api
    ids: dict[str, str] = field(default_factory=dict)

    def on_the_first_day(self) -> None:
        """Everybody signs up; two have items before they are billed at all, and one is to leave soon."""
        monthly: dict[str, Any] = {"currency": "EUR", "unit_amount_minor": 3100}
        monthly |= {"name": "Team", "interval_unit": "month", "interval_count": 1}
        self.api.post("/v1/plans", monthly | {"code": "team"})
        self.api.post("/v1/plans", monthly | {"code": "team-trial", "trial_days": 60})
        vat = self.api.post("/v1/tax-rates", {"name": "VAT", "percent": "20", "inclusive": False})["id"]
        self._signs_up("mover", FEBRUARY_10 | {"tax_rate": vat, "discount": COUPON})
        self._signs_up("saver", FEBRUARY_10)
        self._signs_up("leaver", FEBRUARY_10)
        self._signs_up("quitter", FEBRUARY_10)
        self._signs_up("returner", FEBRUARY_10)
        self._signs_up("trier", {"plan": "team-trial"})
        self._add_item("mover", 5000)
        self._add_item("mover", -2000)
        mistaken = self._add_item("mover", 9900)["id"]
        self._does("mover", f"items/{mistaken}/remove")
        self._add_item("saver", -20_000)
        self._does("returner", "close", at="2026-02-20")

    def on_the_day_in_the_middle(self) -> None:
        """Two have a second seat, with the next invoice; of them one is to be billed on the 20th from April on, and one
        is closed. One quits and is let go, one comes back, and a trial is ended.
        """
        for name in ("mover", "leaver"):
            self._does(name, "terms", quantity=2, proration="next_invoice")
        self._does("mover", "terms", anchor_date="2026-04-20", effective="2026-04-20")
        self._does("leaver", "close")
        self._add_item("quitter", 900)
        self._add_item("quitter", 30, billing="now")
        self._does("quitter", "close", collect=False)
        self._does("returner", "reopen")
        self._does("trier", "trial", ends_on=MIDDLE.isoformat())
        self._add_item("trier", 1200, billing="now")

    def _signs_up(self, name: str, given: dict[str, Any]) -> None:
        known = {"name": name, "email": f"{name}@example.com", "plan": "team"}
        paying = {"payment_customer": f"cus_{name}", "payment_method": "pm_card"}
        self.ids[name] = self.api.post("/v1/accounts", known | paying | given)["id"]

    def _add_item(self, name: str, unit_amount_minor: int, **given: Any) -> Any:
        return self._does(name, "items", description="Item", unit_amount_minor=unit_amount_minor, **given)

    def _does(self, name: str, call: str, **given: Any) -> Any:
        return self.api.post(f"/v1/accounts/{self.ids[name]}/{call}", given | {"reason": "asked for"})
