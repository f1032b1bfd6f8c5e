"""The URLs of the project: views that do what a test says."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin import site
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import path

Action = Callable[[Any], Any]

actions: list[Action] = []
"""What the next requests do: functions of the request."""


def act(request: HttpRequest) -> HttpResponse:
    """Do the next action."""
    answer = actions.pop(0)(request)
    return answer if isinstance(answer, HttpResponse) else HttpResponse(str(answer))


urlpatterns = [
    path("", act),
    path("private", login_required(act)),
    path("admin/", site.urls),
]
