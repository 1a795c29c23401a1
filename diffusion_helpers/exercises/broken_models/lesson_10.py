"""Workshop 10: a swift that ... try before you read on.

Whatever guidance scale it is told, it hears 2; everything else about it is as it was.
"""

import torch

from ...checkpoints import load_checkpoint

HEARD = 2.0


def broken_model(device=None):
    """Swift with one fault, on `device` (default: `pick_device()`)."""
    net = load_checkpoint("swift", device)
    net.guidance.register_forward_pre_hook(_always_the_same)
    return net


def _always_the_same(embedding, inputs):
    """Before the scale is embedded, times 100 as for every step: another scale."""
    (scales,) = inputs
    return (torch.full_like(scales, 100 * HEARD),)
