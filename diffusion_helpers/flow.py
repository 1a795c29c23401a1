"""Lesson 08: flow matching, on points of the plane in place of pictures.

The points are the dark pixels of an emoji. A network of a few lines learns them in seconds, and one
sees where each point ends.
"""

import torch
from einops import rearrange, reduce

from .checks import check_floats, check_images
from .languages import marked, tr

DARK = -0.1  # the mean of a pixel's three colours, in [-1, 1]: lines are below it, paint is above


def dark_points(picture: torch.Tensor) -> torch.Tensor:
    """The dark pixels of a picture (3, H, W) in [-1, 1] as points (N, 2): x to the right, y up.

    Their mean is 0 and their standard deviation 1. Raises ValueError where fewer than two pixels
    are dark.
    """
    points, centre, scale = _measured(picture)
    return (points - centre) / scale


def share_on_dark(points: torch.Tensor, picture: torch.Tensor) -> float:
    """The share of points (N, 2) that lie on a dark pixel of `picture`, placed as `dark_points`."""
    check_floats(points, "N xy", marked("points"), xy=2)
    if len(points) == 0:
        raise ValueError(tr("expected at least one point, got none"))
    _, centre, scale = _measured(picture)
    height, width = picture.shape[1:]
    column, row = (points.to(scale) * scale + centre).round().unbind(1)
    inside = (column >= 0) & (column < width) & (row <= 0) & (row > -height)
    column, row = column[inside].long(), -row[inside].long()
    hits = _dark(picture)[row, column].sum().item()
    return hits / len(points)


def _dark(picture):
    check_images(
        rearrange(check_floats(picture, "C H W", marked("a picture"), C=3), "c h w -> 1 c h w")
    )
    return reduce(picture, "c h w -> h w", "mean") < DARK


def _measured(picture):
    """The dark pixels (N, 2) as columns and negative rows, their centre (2,) and their scale."""
    rows, columns = _dark(picture).nonzero(as_tuple=True)
    if len(rows) < 2:
        raise ValueError(tr("expected a picture with two dark pixels or more, got {}", len(rows)))
    points = torch.stack([columns, -rows], 1).float()  # (N, 2)
    centre = points.mean(0)
    return points, centre, (points - centre).std()
