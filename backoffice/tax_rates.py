"""Tax rates."""

from django.contrib import admin

from accounts.models import TaxRate
from accounts.percents import shown_percent
from backoffice.base import ReadOnlyAdmin


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ("name", "percentage", "inclusive", "exemption_reason")
    list_filter = ("inclusive",)
    search_fields = ("name",)
    fields = ("id", "name", "percentage", "inclusive", "exemption_reason", "created_at")

    @admin.display(description="percent", ordering="percent")
    def percentage(self, rate: TaxRate) -> str:
        return shown_percent(rate.percent)
