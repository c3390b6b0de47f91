"""What makes a trial the same one: its mix, the source of what it is built of, data and seed."""

from __future__ import annotations

import hashlib

from ablate.mix import Evaluation, Mix, digest


def trial_key(mix: Mix, seed: int, data: str, evaluation: Evaluation, code: str = "") -> str:
    """What defines a trial.

    Args:
        mix: What is trained, and how.
        seed: Of the initial weights, the crops and the degradation.
        data: Digest of the images.
        evaluation: How restored images are scored.
        code: Digest of the source of the mix; empty in runs that began before it was kept.
    """
    parts = [mix.key, str(seed), data, digest(evaluation)]
    parts += [code] * bool(code)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
