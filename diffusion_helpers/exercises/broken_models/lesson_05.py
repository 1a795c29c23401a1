"""The patient of lesson 05: a net whose clock jams."""

from torch import nn

from ...checkpoints import load_checkpoint

JAM = 700  # above this t the clock shows this t


class Jammed(nn.Module):
    """A clock that runs as `clock` does up to JAM, and there stands still."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def forward(self, t):
        return self.clock(t.clamp(max=JAM))


def broken_model(device=None):
    """The ladder's net that is told t, with a jammed clock: too little dust where there is most."""
    net = load_checkpoint("ladder_time", device)
    net.time = Jammed(net.time)
    return net.eval()
