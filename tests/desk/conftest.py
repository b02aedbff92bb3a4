"""The desk of the shell's tests, for what staff do there; and its pages."""

from collections.abc import Iterator

import pytest

from tests.desk.browser import Pages
from tests.shell.conftest import Desk, desk, rosa

__all__ = ["desk", "pages", "rosa"]


@pytest.fixture
def pages(desk: Desk) -> Iterator[Pages]:
    """The web inbox of the desk."""
    made = Pages(desk)
    yield made
    made.close()
