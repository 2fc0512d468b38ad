"""Runs and their reconciliations."""

import uuid
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint, ListEndpoint
from api.fields import WholeNumber
from api.models import Scope
from api.schema import call
from rebilling.models import Run
from rebilling.reconciliation.summary import reconciliation_of, reconciliations_of
from rebilling.run_review import UnknownRun

TAG = "Runs"


class TallySerializer(serializers.Serializer[Any]):
    """Periods, and their amounts in minor units by currency."""

    periods = WholeNumber(minimum=0)
    amount_minor = serializers.DictField(child=WholeNumber(minimum=0), help_text="By currency.")


class TallyByReasonSerializer(TallySerializer):
    """Skipped or parked periods, counted by reason."""

    reasons = serializers.DictField(child=WholeNumber(minimum=0))


class OutcomesSerializer(serializers.Serializer[Any]):
    """The payments of the run's charges, by status."""

    succeeded = WholeNumber(minimum=0)
    declined = WholeNumber(minimum=0)
    unknown = WholeNumber(minimum=0)
    submitted = WholeNumber(minimum=0)


class RunSerializer(serializers.Serializer[Any]):
    """A run's reconciliation: due = charged + skipped + parked. Unexplained should be zero."""

    id = serializers.UUIDField(source="run_id")
    kind = serializers.ChoiceField(
        Run.Kind.choices,
        help_text="Whose it is: the daily sweep's, or, on demand, that of what was billed at once on the day, as "
        "accounts were opened or began a period.",
    )
    as_of = serializers.DateField()
    status = serializers.ChoiceField(Run.Status.choices)
    due = TallySerializer()
    charged = TallySerializer()
    skipped = TallyByReasonSerializer()
    parked = TallyByReasonSerializer()
    unexplained = TallySerializer()
    payments = OutcomesSerializer()


class RunsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.RUNS_READ}
    queryset = Run.objects.all()
    serializer_class = RunSerializer

    @call(
        "list_runs",
        tag=TAG,
        summary="List runs",
        description="Newest first, with their reconciliations as of now.",
        scope=Scope.RUNS_READ,
        response=RunSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    def rendered(self, page: Any) -> Any:
        return RunSerializer(reconciliations_of(runs=page, now=self.now), many=True).data


class RunEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @call(
        "get_run",
        tag=TAG,
        summary="Get a run",
        description="With its reconciliation as of now.",
        scope=Scope.RUNS_READ,
        response=RunSerializer,
        missing=True,
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        run = Run.objects.filter(id=run_id).first()
        if run is None:
            raise UnknownRun(f"There is no run {run_id}.")
        return Response(RunSerializer(reconciliation_of(run=run, now=self.now)).data)
