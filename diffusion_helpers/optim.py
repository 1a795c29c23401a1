"""Lesson 03's optimizers: Muon for weight matrices, AdamW for the rest, and one step of both."""

from typing import Any

import torch
from einops import rearrange
from torch import nn

from .checks import check_count, check_floats, check_network, check_number
from .device import fast_dtype
from .distributed import ProcessGroup
from .languages import marked, tr

LEARNING_RATE = 3e-3  # measured: best for both halves of the optimizer, with the decay of `train`
CLIP = 1.0  # longest gradient allowed


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal before each step (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon). For weights with two or more axes.

    torch.optim.Muon takes the same steps, but refuses the weights of convolutions.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override] # without a closure
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                memory = self.state[p].setdefault("momentum", torch.zeros_like(p))
                memory.lerp_(p.grad, 1 - group["momentum"])
                look_ahead = p.grad.lerp(memory, group["momentum"])  # Nesterov
                matrix = rearrange(look_ahead, "o ... -> o (...)")
                # Jordan's iteration is made to bear bf16
                update = orthogonalise(matrix.to(fast_dtype(matrix))).to(p.dtype)
                update = update * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
                p.add_(update.view_as(p), alpha=-group["lr"])


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Push the singular values of a matrix towards 1, by a quintic Newton-Schulz iteration."""
    check_floats(matrix, "N M", marked("a matrix")), check_count(steps, "steps", least=0)
    a, b, c = 3.4445, -4.7750, 2.0315  # Jordan's coefficients: steep at 0, so that few steps do
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        quintic = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # b gram + c gram gram
        x = torch.addmm(x, quintic, x, beta=a)  # a x + quintic x, in one go
    return x.T if tall else x


def make_optimizers(
    model: Any, learning_rate: float = LEARNING_RATE
) -> list[torch.optim.Optimizer]:
    """Muon for the hidden weight matrices, AdamW for the first and last layer (`enter`, `leave`),
    embeddings, norms and biases.
    """
    if not hasattr(check_network(model), "enter") or not hasattr(model, "leave"):
        raise ValueError(tr("expected a UNet or a TwinsNet, got {}", type(model).__name__))
    check_number(learning_rate, "learning_rate", least=0)
    outside = set(model.enter.parameters()) | set(model.leave.parameters())
    outside |= {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    hidden = [p for p in model.parameters() if p.ndim >= 2 and p not in outside]
    rest = [p for p in model.parameters() if p.ndim < 2 or p in outside]
    return [
        Muon(hidden, learning_rate),
        torch.optim.AdamW(rest, learning_rate, betas=(0.9, 0.99), weight_decay=0.0),
    ]


def set_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def optimizer_step(
    loss: torch.Tensor,
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    processes: ProcessGroup | None = None,
) -> float:
    """Backward, clip, step; returns the loss as a float.

    `processes` average their gradients first. Raises FloatingPointError, before anything changes,
    when the loss is no longer a number.
    """
    if not torch.isfinite(loss):
        raise FloatingPointError(tr("the loss is no longer a number: try a smaller learning_rate"))
    for optimizer in optimizers:
        optimizer.zero_grad()  # of whoever called backward before
    loss.backward()
    if processes:
        processes.average_gradients(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()
