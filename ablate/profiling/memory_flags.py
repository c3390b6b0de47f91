"""The settings of a process that change how much memory the same network takes."""

from __future__ import annotations

import os

import torch

_ALLOCATOR_VARIABLES = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
)
_SYSTEM_VARIABLES = (
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "LD_PRELOAD",
)


def memory_flags(
    device: torch.device, *, precision: str = "float32", channels_last: bool = True
) -> dict[str, str]:
    """What a memory figure depends on beside the network and its input, in words.

    Args:
        device: cpu or cuda.
        precision: Of the call.
        channels_last: Memory layout of the call.
    """
    chosen = {"precision": precision, "channels_last": _word(channels_last)}
    return chosen | (_of_cuda() if device.type == "cuda" else _of_cpu())


def _of_cuda() -> dict[str, str]:
    settings = " ".join(filter(None, (os.environ.get(name) for name in _ALLOCATOR_VARIABLES[:2])))
    return {
        "cudnn": _word(bool(torch.backends.cudnn.enabled)),
        "cudnn.benchmark": _word(bool(torch.backends.cudnn.benchmark)),
        "cudnn.deterministic": _word(bool(torch.backends.cudnn.deterministic)),
        "tf32 products": _word(torch.backends.cuda.matmul.fp32_precision == "tf32"),
        "tf32 convolutions": _word(_convolutions_in_tf32()),
        "allocator": torch.cuda.get_allocator_backend(),
        "expandable_segments": _word("expandable_segments:true" in settings.lower()),
        **_set(_ALLOCATOR_VARIABLES),
    }


def _of_cpu() -> dict[str, str]:
    return {
        "mkldnn": _word(bool(torch.backends.mkldnn.enabled)),
        "threads": str(torch.get_num_threads()),
        **_set(_SYSTEM_VARIABLES),
    }


def _convolutions_in_tf32() -> bool:
    setting = getattr(torch.backends.cudnn, "conv", torch.backends.cudnn)
    return str(setting.fp32_precision) == "tf32"


def _set(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _word(setting: bool) -> str:
    return "on" if setting else "off"
