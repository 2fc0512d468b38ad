"""One view, which reads one row."""

from rest_framework.generics import RetrieveAPIView
from rest_framework.serializers import ModelSerializer

from .models import Customer


class CustomerSerializer(ModelSerializer):  # type: ignore[type-arg] # generic in the stubs alone
    class Meta:
        model = Customer
        fields = ["id", "name", "email"]


class CustomerView(RetrieveAPIView):  # type: ignore[type-arg]
    queryset = Customer._default_manager.all()
    serializer_class = CustomerSerializer
