"""Fixtures of the tests of Flask."""

from typing import Any

import pytest
from flask import Flask

from tests.conftest import Options
from tests.flask.support import Browser, make_app


@pytest.fixture
def app(options: Options) -> Flask:
    """Return an application with sessions in this test's database."""
    return make_app(options, PROPAGATE_EXCEPTIONS=True)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Return a new visitor of that application."""
    return Browser(app)


@pytest.fixture(params=[{}, {"stringify": True}, {"store": {"transformId": "sha256"}}], ids=str)
def any_form(request: pytest.FixtureRequest, options: Options) -> dict[str, Any]:
    """Return options for each form in which sessions are stored."""
    more: dict[str, Any] = request.param
    return options | more
