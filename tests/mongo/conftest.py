"""Certificates."""

import pytest

from tests.mongo.certificates import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make an authority."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
