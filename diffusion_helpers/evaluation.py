"""The judge. Frozen: a test pins its numbers on fixed pictures, so old and new figures compare.

Three questions are asked of generated pictures. Which emoji is it (`rank_among`)? Do they look,
as a set, like the real set (`frechet_distance`, `precision_recall`)? Which training picture
is nearest (`nearest`)? A fourth one is asked of a network: how large is its error, by noise level
(`loss_by_level`)?
"""

import functools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import nn

from .checkpoints import load_tensors
from .checks import (
    check_count,
    check_floats,
    check_images,
    check_network,
    check_rows,
    seeded_generator,
)
from .data import DATA
from .denoiser import Prediction, velocity
from .languages import marked, tr
from .noising import Schedule, add_noise, check_schedule
from .sampling import predict

# ---- which emoji is it? -------------------------------------------------------------------------


def _layout(images):
    """Colours on a coarse grid: (B, 3, 32, 32) -> (B, 3 * 8 * 8)."""
    return reduce(images, "b c (h a) (w d) -> b (c h w)", "mean", a=4, d=4)


def _gradients(images):
    """How strongly edges run in 8 directions, in 8 x 8 cells: (B, 3, 32, 32) -> (B, 8 * 8 * 8)."""
    grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    dy = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    dx = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    # (B, 1, H, W) in -4..4, eight bins round the clock
    direction = torch.atan2(dy, dx) / torch.pi * 4
    strength = torch.hypot(dx, dy)
    distance = (direction - torch.arange(-4, 4).view(1, 8, 1, 1).to(images)).abs()
    share = (1 - torch.minimum(distance, 8 - distance)).clamp(min=0)  # split between two neighbours
    cells = reduce(share * strength, "b bin (h a) (w d) -> b bin h w", "sum", a=4, d=4)
    return rearrange(cells.sqrt(), "b bin h w -> b (bin h w)")


def _mask(images):
    """Where there is something on the white: (B, 3, 32, 32) -> (B, 16 * 16)."""
    away_from_white = (1 - images).amax(1).clamp(0, 0.5)  # 0.5: pale counts as much as dark
    return reduce(away_from_white, "b (h a) (w d) -> b (h w)", "mean", a=2, d=2)


def _features(images, centres=None):
    parts = [_layout(images), _gradients(images), _mask(images)]
    centres = centres or [p.mean(0) for p in parts]
    normal = [F.normalize(p - c, dim=1) for p, c in zip(parts, centres, strict=True)]
    return torch.cat(normal, dim=1) / 3**0.5, centres


def _check_emoji(images):
    check_floats(check_images(images), "B C H W", marked("pictures for the judge"), C=3, H=32, W=32)


def similarity(images: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
    """Cosine similarity, best of nine one-pixel shifts: (B, 3, 32, 32), (N, ...) -> (B, N)."""
    _check_emoji(images)
    _check_emoji(gallery)
    gallery = gallery.to(images)
    gallery_features, centres = _features(gallery)
    padded = F.pad(images.clamp(-1, 1), (1, 1, 1, 1), value=1.0)  # white
    shifted = [padded[..., y : y + 32, x : x + 32] for y in range(3) for x in range(3)]
    return torch.stack([_features(s, centres)[0] @ gallery_features.T for s in shifted]).amax(0)


def rank_among(images: torch.Tensor, gallery: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Place of the true emoji when the gallery is sorted by likeness; 0 is the first. (B,) int.

    images (B, 3, 32, 32); gallery (N, 3, 32, 32), all real emoji of the asked style; truth (B,) the
    row of the right one.
    """
    scores = similarity(images, gallery)
    truth = check_rows(truth, len(gallery), "truth").to(scores.device)
    if len(truth) != len(images):
        raise ValueError(
            tr("expected one true row a picture, got {} for {}", len(truth), len(images))
        )
    right = scores.gather(1, rearrange(truth, "b -> b 1"))
    return (scores > right).sum(1)


def nearest(images: torch.Tensor, gallery: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Row of the gallery picture with the smallest squared error, and that error: (B,), (B,)."""
    check_images(images)
    check_images(gallery, what=marked("a gallery of pictures"), like=images)
    if images.shape[1:] != gallery.shape[1:]:
        raise ValueError(
            tr(
                "pictures and gallery need one shape, got {} and {}",
                tuple(images.shape),
                tuple(gallery.shape),
            )
        )
    exact = torch.promote_types(images.dtype, torch.float32)  # cdist knows no shorter one
    a, b = (rearrange(x, "n c h w -> n (c h w)").to(exact) for x in (images, gallery))
    row = torch.cdist(a, b).argmin(1)
    error = (a - b[row]).square().mean(1)  # anew: cdist loses digits where two are equal
    return row, error


# ---- do they look like the real set? ------------------------------------------------------------


class FeatureNet(nn.Module):
    """A small CNN that names an emoji's group and style; its 64 features measure a set.

    (B, 3, 32, 32) in [-1, 1] -> features (B, 64). Trained once by data/build_judge.py.
    """

    def __init__(self, groups: int = 7, styles: int = 6):
        super().__init__()
        check_count(groups, "groups"), check_count(styles, "styles")
        layers, c_in = [], 3
        for c_out, stride in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 2)):
            layers += [
                nn.Conv2d(c_in, c_out, 3, stride, 1),
                nn.GroupNorm(c_out // 16, c_out),
                nn.SiLU(),
            ]
            c_in = c_out
        self.convs = nn.Sequential(*layers)
        self.features = nn.Linear(2 * c_in, 64)
        self.group, self.style = nn.Linear(64, groups), nn.Linear(64, styles)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        check_floats(images, "B C H W", marked("pictures"), self.features.weight, C=3)
        h = self.convs(images)  # (B, 128, 4, 4)
        pooled = torch.cat([h.mean((2, 3)), h.amax((2, 3))], dim=1)  # (B, 256)
        return self.features(pooled)


@functools.cache
def load_feature_net() -> FeatureNet:
    """The shipped FeatureNet. Raises FileNotFoundError or ValueError for a missing or bad file."""
    net = FeatureNet()
    tensors, _ = load_tensors(DATA / "checkpoints" / "judge.safetensors")
    net.load_state_dict(tensors)
    return net.eval().requires_grad_(False)


@torch.no_grad()
def extract_features(images: torch.Tensor, batch: int = 250) -> torch.Tensor:
    """The judge's features in float64, (N, 3, 32, 32) -> (N, 64)."""
    _check_emoji(images)
    net, batch = load_feature_net(), check_count(batch, "batch")
    return torch.cat([net(b.clamp(-1, 1).float().cpu()) for b in images.split(batch)]).double()


def _check_sets(real, fake, least):
    """Both in float64, or one sentence."""
    check_floats(real, "N D", marked("features"))
    check_floats(fake, "N D", marked("features"), like=real, D=real.shape[1])
    if min(len(real), len(fake)) < least:
        raise ValueError(
            tr("need at least {} pictures on each side, got {} and {}", least, len(real), len(fake))
        )
    if not (torch.isfinite(real).all() and torch.isfinite(fake).all()):
        raise ValueError(tr("the features hold NaN or infinite values: check the pictures"))
    return real.detach().double(), fake.detach().double()


def frechet_distance(real: torch.Tensor, fake: torch.Tensor) -> float:
    """Fréchet distance of two sets of features, each (N, D) (arXiv 1706.08500); 0 if equal.

    It depends on N: compare only distances that were measured with the same N, beside the distance
    of real pictures to other real pictures.
    """
    real, fake = _check_sets(real, fake, least=2)
    (mean_a, cov_a), (mean_b, cov_b) = ((x.mean(0), torch.cov(x.T)) for x in (real, fake))
    # the trace of sqrt(cov_a cov_b), from the eigenvalues of the symmetric root_a cov_b root_a
    values, vectors = torch.linalg.eigh(cov_a)
    root_a = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root_a @ cov_b @ root_a).clamp(min=0).sqrt().sum()
    return float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


def precision_recall(real: torch.Tensor, fake: torch.Tensor, k: int = 3) -> tuple[float, float]:
    """Precision and recall of arXiv 1904.06991: the share of fakes that lie among the reals, and
    of reals that lie among the fakes; "among" means nearer to some picture than its k-th neighbour.
    """
    real, fake = _check_sets(real, fake, least=check_count(k, "k") + 1)

    def share_inside(points, others):
        radius = torch.cdist(others, others).kthvalue(k + 1, dim=1).values  # the first is itself
        return float((torch.cdist(points, others) <= radius).any(1).double().mean())

    return share_inside(fake, real), share_inside(real, fake)


# ---- what is decided when? ----------------------------------------------------------------------


def decided_by_scale(cleans: torch.Tensor) -> dict[str, list[float]]:
    """How much of the last picture stands in each step's prediction: coarse, middle, fine parts.

    cleans (S, B, C, H, W): the predicted clean pictures of S steps of a sampler, B at least 2, H
    and W multiples of 8. Coarse are the means of blocks of 8 x 8 pixels, middle is what blocks of
    2 x 2 add to them, fine is the rest. The mean over the batch is subtracted from each part,
    because what all pictures share was never undecided. The number, S for each part, is then the
    correlation with the same part at the last step: 0 where nothing is decided yet, 1 at the end.
    """
    check_floats(cleans, "S B C H W", marked("predicted clean pictures"))
    _, batch, _, height, width = cleans.shape
    if batch < 2 or height % 8 or width % 8 or 0 in cleans.shape:
        raise ValueError(
            tr(
                "expected predictions of at least 2 pictures, height and width multiples of 8, "
                "got {}",
                tuple(cleans.shape),
            )
        )

    check_images(cleans.flatten(0, 1))

    def blocks(x, size):  # means over size x size pixels, at full size again
        small = reduce(x, "b c (h m) (w n) -> b c h w", "mean", m=size, n=size)
        return small.repeat_interleave(size, 2).repeat_interleave(size, 3)

    parts: dict[str, list[torch.Tensor]] = {"coarse": [], "middle": [], "fine": []}
    for x in cleans.detach().cpu().double():
        coarse, middle = blocks(x, 8), blocks(x, 2)
        for name, part in zip(parts, (coarse, middle - coarse, x - middle), strict=True):
            own = part - part.mean(0)
            parts[name].append(own / own.norm().clamp(min=1e-12))
    return {name: [float((p * row[-1]).sum()) for p in row] for name, row in parts.items()}


# ---- how good is a network at each noise level? --------------------------------------------------


class LevelLoss(NamedTuple):
    t: torch.Tensor  # (L,) the noise levels
    noise: torch.Tensor  # (L,) mean squared error of the predicted noise
    clean: torch.Tensor  # (L,) mean squared error of the predicted clean picture
    velocity: torch.Tensor  # (L,) mean squared error of the predicted velocity


@torch.no_grad()
def loss_by_level(
    model: nn.Module, images: torch.Tensor, schedule: Schedule, levels: int = 12, seed: int = 0
) -> LevelLoss:
    """Error of a network at `levels` noise levels, in all three coordinates of its prediction.

    images (N, C, H, W) in [-1, 1], the same for every level; each gets its own dust.
    """
    check_images(images)
    network = check_network(model)
    device = next(network.parameters()).device
    check_count(levels, "levels", 1, max(1, len(check_schedule(schedule)) - 2))
    ts = torch.linspace(0, len(schedule) - 1, levels + 2).round().long()[1:-1]
    errors = []
    for t in ts:
        eps = torch.randn(images.shape, generator=seeded_generator(seed)).to(device, images.dtype)
        x_0 = images.to(device)
        x_t = add_noise(x_0, t, eps, schedule)
        truth = Prediction(eps, x_0, velocity(x_0, eps, *schedule.rates(t, like=x_0)))
        guess = predict(network, schedule, x_t, t)
        errors.append([F.mse_loss(g, w).cpu() for g, w in zip(guess, truth, strict=True)])
    return LevelLoss(ts, *torch.tensor(errors).T)
