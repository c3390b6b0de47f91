"""Blocks of convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward.parts import Block, channel_attention, channel_norm, gate


def identity(block: Block, x: Tensor) -> Tensor:
    """Nothing."""
    return x


def nafblock(block: Block, x: Tensor) -> Tensor:
    """Depth-wise convolution and feed-forward part, both gated."""
    y = gate(block.depthwise(block.enter(channel_norm(block.norm, x))))
    y = y * block.attention(F.adaptive_avg_pool2d(y, 1))
    x = x + block.leave(y) * block.beta
    y = gate(block.mlp_enter(channel_norm(block.mlp_norm, x)))
    return x + block.mlp_leave(y) * block.gamma


def baseline_block(block: Block, x: Tensor) -> Tensor:
    """The same with GELU and channel attention."""
    y = F.gelu(block.depthwise(block.enter(channel_norm(block.norm, x))))
    x = x + block.leave(channel_attention(block.attention, y)) * block.beta
    y = F.gelu(block.mlp_enter(channel_norm(block.mlp_norm, x)))
    return x + block.mlp_leave(y) * block.gamma


def plain_block(block: Block, x: Tensor) -> Tensor:
    """The same with ReLU, no norm and no attention: the block's default knobs."""
    x = x + block.leave(F.relu(block.depthwise(block.enter(x)))) * block.beta
    return x + block.mlp_leave(F.relu(block.mlp_enter(x))) * block.gamma


def rcab(block: Block, x: Tensor) -> Tensor:
    """Two convolutions and channel attention."""
    y = block.second(F.relu(block.first(x)))
    return x + channel_attention(block.attention, y)


def convnext(block: Block, x: Tensor) -> Tensor:
    """A large depth-wise convolution, a norm and a feed-forward part."""
    y = block.depthwise(x).permute(0, 2, 3, 1)
    y = block.layer_scale * block.mlp(block.norm(y))
    return x + y.permute(0, 3, 1, 2)


def mdc(block: Block, x: Tensor) -> Tensor:
    """Depth-wise convolutions of several dilations."""
    found = [branch(x) for branch in block.branches]
    return x + block.fuse(torch.cat(found, dim=1))


def rdcnn(block: Block, x: Tensor) -> Tensor:
    """A dense convolution, then a depth-wise separable one."""
    y = F.gelu(block.dense_norm(block.dense(x)))
    y = block.pointwise_norm(block.pointwise(block.depthwise(y)))
    return F.gelu(y + x)
