"""Fixtures: a Django project whose sessions are in this test's database."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django import conf
from django.http import HttpResponse
from django.test import Client, override_settings

from tests.conftest import Options
from tests.django import project

Action = Callable[[Any], Any]
Act = Callable[..., HttpResponse]


@pytest.fixture(scope="session")
def _project(tmp_path_factory: pytest.TempPathFactory) -> None:
    project.configure(tmp_path_factory.mktemp("django"))


@pytest.fixture(params=[{}], ids=[""])
def extra(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return further options."""
    options: Options = request.param
    return options


@pytest.fixture
def settings(_project: None, options: Options, extra: dict[str, Any]) -> Iterator[Any]:
    """Store sessions in this test's database, and return the settings."""
    with override_settings(BEAKER_MONGO=options | extra):
        yield conf.settings


@pytest.fixture
def client(settings: Any) -> Client:
    """Return a new visitor."""
    return Client(raise_request_exception=False)


@pytest.fixture
def act() -> Iterator[Act]:
    """Return a function that makes a request whose view calls a function with the request."""

    def make(client: Client, action: Action, url: str = "/") -> HttpResponse:
        urls().actions.append(action)
        return client.get(url)

    yield make
    assert [] == urls().actions


def urls() -> Any:
    """Return the module of the views, which can be imported when Django is configured."""
    return import_module("tests.django.urls")
