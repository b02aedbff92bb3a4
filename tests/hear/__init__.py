"""What people write, in every language, and what it means. ``python -m tests.hear`` prints the figures."""
