"""Tests: dialogues, tables and properties, on the real parts."""

import os

os.environ["MASTER_KEY"] = "of-the-tests-and-of-nothing-else-"
