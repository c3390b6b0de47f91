"""What holds for every test: one thread, for threads that wait for each other cost more."""

from __future__ import annotations

import os

# Before torch is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
