"""How fast it is, beside others."""

import os

os.environ.setdefault("MASTER_KEY", "of-the-tests-and-of-nothing-else-")
