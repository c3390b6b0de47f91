"""ablate: which block belongs in which stage of an image-restoration network, and at what cost.

study = ablate.load_study("quickstart")
run = ablate.run(study)
table = run.results()
print(run.front())
run.draw("front.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablate.api import Run, StudyError, load_model, load_plugins, load_study, run

__version__ = "0.1.0"
__all__ = ["Run", "StudyError", "load_model", "load_plugins", "load_study", "run"]


def __getattr__(name: str) -> object:
    """Import what is asked for only then: workers need neither pandas nor matplotlib."""
    if name not in __all__:
        raise AttributeError(f"module 'ablate' has no attribute '{name}'")
    from ablate import api

    return getattr(api, name)
