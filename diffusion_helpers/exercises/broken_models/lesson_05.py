"""The broken model of lesson 05: a network whose clock jams."""

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
    """The ladder's network that is told t, its clock jammed: it hears too little noise at the end
    where there is most.
    """
    net = load_checkpoint("ladder_time", device)
    net.time = Jammed(net.time)
    return net.eval()
