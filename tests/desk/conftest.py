"""The desk of the shell's tests, for what staff do there."""

from tests.shell.conftest import desk, rosa

__all__ = ["desk", "rosa"]
