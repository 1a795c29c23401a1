"""The broken model of lesson 06. Reading on spoils the diagnosis."""

from einops import rearrange

from ...attention import Attention
from ...twins import load_twins


class Wired(Attention):
    """Tokens (B, N, width) look at the same place of the other pictures, not at other places.

    This is what happens when a part that expects (N, B, width), as PyTorch's `MultiheadAttention`
    does by default, is given (B, N, width): the shapes fit, and nothing complains.
    """

    def forward(self, x, context=None, mask=None):
        return rearrange(super().forward(rearrange(x, "b n c -> n b c")), "n b c -> b n c")


def broken_model(device=None):
    """The shipped painter of twins with its own parameters, and attention over a wrong axis."""
    model = load_twins(attention=True, device=device)
    for block in model.blocks:
        block.focus.attention.__class__ = Wired
    return model
