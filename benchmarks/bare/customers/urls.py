"""Paths: the admin, as a new project has it, and the one view."""

from django.contrib import admin
from django.urls import path

from .views import CustomerView

urlpatterns = [path("admin/", admin.site.urls), path("customers/<int:pk>", CustomerView.as_view())]
