"""Fixtures: applications with MongoSession."""

from typing import Any

import pytest

from beaker_mongo_soajs import (
    MongoSession,
)
from tests.application import Site
from tests.conftest import Options
from tests.mongo_session.support import VARIANTS, MakeSite


@pytest.fixture
def make_site(options: Options) -> MakeSite:
    """Return a function that makes applications with MongoSession."""

    def make(**more: Any) -> Site:
        return Site(options | {"session_class": MongoSession} | more)

    return make


@pytest.fixture(params=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> Options:
    """Return the options for each storage form."""
    return VARIANTS[request.param]
