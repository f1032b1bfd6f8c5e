"""The pages."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Count a visit."""
    session = request.session
    # No other request can change the session in this block, in any process.
    with session.locked(timeout=5):
        session["visits"] = session.get("visits", 0) + 1
    return JsonResponse(
        {
            "visits": session["visits"],
            "user": session.get("user"),
            "csrf_token": get_token(request),
        }
    )


@require_POST
def login(request: HttpRequest) -> HttpResponse:
    """Log in, with any name. The old session id becomes invalid."""
    request.session.cycle_key()
    request.session["user"] = request.POST["user"]
    return redirect("/")


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Log out."""
    request.session.flush()
    return redirect("/")


@require_GET
def error(_request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError("This page fails.")
