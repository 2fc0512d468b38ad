"""The admin's pages. Reading this loads them."""

from django.contrib.admin import autodiscover, site

autodiscover()
urlpatterns = site.get_urls()
