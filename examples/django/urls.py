"""The URLs of the pages."""

from django.contrib.admin import site
from django.urls import path

from examples.django import views

urlpatterns = [
    path("", views.home),
    path("login", views.login),
    path("logout", views.logout),
    path("error", views.error),
    path("admin/", site.urls),
]
