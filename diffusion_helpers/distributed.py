"""Several devices that train one network: the processes of `accelerate launch`, one a device."""

import os

import torch
from torch import nn

from .languages import tr


class ProcessGroup:
    """The processes that `accelerate launch` started; alone, nothing is shared.

    They draw the same random numbers, take every n-th picture each, and average their gradients:
    the same training as in one process.

    shard    the rows of a batch that belong to this process, a slice
    is_main  whether this process is the one that writes files and reports
    """

    def __init__(self, batch: int):
        self.accelerator, rank, size = None, 0, int(os.environ.get("WORLD_SIZE", 1))
        if batch % size:
            raise ValueError(
                tr("{} devices cannot share batches of {}: choose a multiple", size, batch)
            )
        if size > 1:
            try:
                from accelerate import Accelerator
            except ImportError:
                raise ImportError(
                    tr("several devices need Accelerate: pip install accelerate")
                ) from None
            self.accelerator = Accelerator()
            rank = self.accelerator.process_index
        self.shard, self.is_main = slice(rank, None, size), rank == 0

    def broadcast_weights(self, model: nn.Module) -> None:
        """All begin with the weights of the first process."""
        if self.accelerator:
            from accelerate.utils import broadcast

            with torch.no_grad():
                for weight in model.state_dict().values():
                    weight.copy_(broadcast(weight))

    def average_gradients(self, model: nn.Module) -> None:
        """Every gradient becomes the mean over the processes, in one message."""
        if self.accelerator:
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            flat = torch.cat([g.flatten() for g in gradients])
            mean = self.accelerator.reduce(flat, "mean").split([g.numel() for g in gradients])
            for gradient, part in zip(gradients, mean, strict=True):
                gradient.copy_(part.view_as(gradient))

    def reduce_stats(self, loss: float, seconds: float, stop: bool) -> tuple[float, float, bool]:
        """The mean loss, the mean time, and whether anybody wants to stop; the same for all."""
        if not self.accelerator:
            return loss, seconds, stop
        mine = torch.tensor([loss, seconds, stop], dtype=torch.float32)
        loss, seconds, wish = self.accelerator.reduce(
            mine.to(self.accelerator.device), "mean"
        ).tolist()
        return loss, seconds, wish > 0
