"""The desk of the shell's tests, for what is promised of people's data."""

from tests.shell.conftest import desk, rosa

__all__ = ["desk", "rosa"]
