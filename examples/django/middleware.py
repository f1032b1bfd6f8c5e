"""Django's kind of middleware, which shows the session to the views."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


def beaker_session(get_response: GetResponse) -> GetResponse:
    """Make ``request.session`` Beaker's; it is loaded when it is first looked at."""

    def respond(request: HttpRequest) -> HttpResponse:
        request.session = request.environ["beaker.session"]
        return get_response(request)

    return respond
