"""Plans."""

from django.contrib import admin

from accounts.models import Plan
from backoffice.base import ReadOnlyAdmin, money


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "price", "interval", "trial_days", "retired")
    list_filter = ("retired", "currency", "interval_unit")
    search_fields = ("code", "name")
    fields = ("id", "code", "name", "price", "interval", "trial_days", "retired", "created_at")

    price = money("unit_amount_minor", description="unit price")

    @admin.display(description="every")
    def interval(self, plan: Plan) -> str:
        return interval_in_words(plan)


def interval_in_words(plan: Plan) -> str:
    """After "every": "month", "3 months"."""
    return plan.interval_unit if plan.interval_count == 1 else f"{plan.interval_count} {plan.interval_unit}s"
