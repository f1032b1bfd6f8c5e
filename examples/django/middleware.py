"""A Django middleware that passes the session to the views."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


def beaker_session(get_response: GetResponse) -> GetResponse:
    """Set ``request.session``; the session is loaded on first use."""

    def respond(request: HttpRequest) -> HttpResponse:
        request.session = request.environ["beaker.session"]
        return get_response(request)

    return respond
