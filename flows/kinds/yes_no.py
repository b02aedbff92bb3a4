"""A choice whose two options, yes and no, need not be written in the trial file."""

from flows.kinds.choice import accept, read, show

__all__ = ["accept", "read", "show"]
