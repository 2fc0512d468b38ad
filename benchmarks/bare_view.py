"""The URLs of a site with one view of Django REST framework, which reads one row."""

from django.urls import path
from rest_framework.generics import RetrieveAPIView
from rest_framework.serializers import ModelSerializer

from accounts.models import Account


class AccountSerializer(ModelSerializer):  # type: ignore[type-arg] # generic in the stubs alone
    class Meta:
        model = Account
        fields = ("id", "name", "email")


class AccountView(RetrieveAPIView):  # type: ignore[type-arg]
    authentication_classes = permission_classes = ()
    queryset = Account.objects.all()
    serializer_class = AccountSerializer


urlpatterns = [path("accounts/<uuid:pk>", AccountView.as_view())]
