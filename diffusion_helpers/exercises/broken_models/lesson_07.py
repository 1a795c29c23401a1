"""Lesson 07: a painter of scenes that ... try before you read on.

Its ear never lets in the last word of a spell; everything else about it is as it was.
"""

from dataclasses import replace

import torch

from ...checkpoints import load_checkpoint


def broken_model(device=None):
    """The painter of scenes with one fault, on `device` (default: `pick_device()`)."""
    net = load_checkpoint("scenes", device)
    net.text.register_forward_pre_hook(_without_the_last)
    return net


def _without_the_last(ear, inputs):
    """Before the ear hears a Text: a mask that ends one word too early."""
    (text,) = inputs
    last = text.mask.sum(1, keepdim=True) - 1  # (B, 1), -1 where nothing is said
    place = torch.arange(text.mask.shape[1], device=text.mask.device)
    return (replace(text, mask=text.mask & (place < last)),)
