"""Tools for the people who write trials: check, walk, draw, extract. Pure, like the rest of flows."""
