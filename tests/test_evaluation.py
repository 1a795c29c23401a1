"""The judge: frozen, equal to independent formulas, and right about real emoji."""

import copy
import hashlib
import math

import numpy as np
import pytest
import torch

from diffusion_helpers import evaluation
from diffusion_helpers.data import load_emoji
from diffusion_helpers.evaluation import (
    FeatureNet,
    decided_by_scale,
    extract_features,
    frechet_distance,
    load_feature_net,
    loss_by_level,
    nearest,
    precision_recall,
    rank_among,
    similarity,
)
from diffusion_helpers.noising import cosine_schedule, linear_schedule


@pytest.fixture(scope="module")
def emoji():
    return load_emoji()


@pytest.fixture(scope="module")
def twemoji(emoji):
    return emoji.where([style == "twemoji" for style in emoji.styles])


def random_crowd(n, dimensions=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


# ---- frozen -------------------------------------------------------------------------------------


RETRIEVAL = "115101b695c749701383f4c0bf1e81e65675428ff55a247da40547c0d0856f42"
SIMILARITY = "1db38ae7f7a45a7385dab168351afa2101c3d9cbcbac9ab2b6b3acc96e6c4253"
FEATURE_NET = "dd6c0f13a6b0bc921a0241a5e067790c6aa01fd98b6bb0bdbdf3cf324796c94d"


def waves(n):
    """n fixed pictures out of a formula, (n, 3, 32, 32) float64 in [-1, 1]."""
    k = torch.arange(1, n + 1, dtype=torch.float64).reshape(n, 1, 1, 1)
    c = torch.arange(3, dtype=torch.float64).reshape(1, 3, 1, 1)
    y = torch.arange(32, dtype=torch.float64).reshape(1, 1, 32, 1)
    x = torch.arange(32, dtype=torch.float64).reshape(1, 1, 1, 32)
    slow = torch.sin(0.137 * k * x + 0.091 * (c + 1.3) * y + 0.71 * k)
    fast = torch.cos(0.213 * (k + 0.37) * y - 0.057 * (c + 0.9) * x + 1.13 * c)
    return 0.61 * slow + 0.37 * fast


def fingerprint(numbers):
    """The hash of float64 numbers, rounded to 6 decimals."""
    rounded = np.round(numbers.numpy(), 6) + 0.0  # so that -0 and 0 are the same
    return hashlib.sha256(rounded.astype("<f8").tobytes()).hexdigest()


def test_the_features_that_tell_which_emoji_it_is_never_change():
    gallery = waves(16)
    features, _ = evaluation._features(gallery)
    scores = similarity(waves(20)[16:], gallery)
    assert features.dtype == scores.dtype == torch.float64
    assert fingerprint(features) == RETRIEVAL
    assert fingerprint(scores) == SIMILARITY


def test_the_features_that_measure_a_crowd_never_change():
    features = copy.deepcopy(load_feature_net()).double()(waves(16))
    assert features.shape == (16, 64)
    assert fingerprint(features) == FEATURE_NET


def test_the_judge_does_not_learn():
    assert not load_feature_net().training and not any(
        p.requires_grad for p in load_feature_net().parameters()
    )
    assert load_feature_net() is load_feature_net()


# ---- which emoji is it? -------------------------------------------------------------------------


def shift(images, down, right):
    """Move pictures by whole pixels; what comes in is white."""
    moved = torch.ones_like(images)
    h, w = images.shape[-2:]
    moved[..., max(0, down) : h + min(0, down), max(0, right) : w + min(0, right)] = images[
        ..., max(0, -down) : h - max(0, down), max(0, -right) : w - max(0, right)
    ]
    return moved


def test_a_real_picture_is_the_first_in_its_own_gallery(twemoji):
    rows = torch.arange(0, len(twemoji), 20)
    scores = similarity(twemoji.images[rows], twemoji.images)
    assert scores.shape == (len(rows), len(twemoji)) and scores.max() <= 1 + 1e-5
    assert torch.equal(scores.argmax(1), rows)
    own = scores[torch.arange(len(rows)), rows]
    torch.testing.assert_close(own, torch.ones(len(rows)), rtol=0, atol=1e-5)


def test_a_shift_by_one_pixel_does_not_matter(twemoji):
    rows = torch.arange(0, len(twemoji), 120)
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = torch.cat([shift(twemoji.images[rows], down, right) for down, right in steps])
    assert (rank_among(moved, twemoji.images, rows.repeat(9)) == 0).all()


def test_a_shift_by_four_pixels_does_matter(twemoji):
    rows = torch.arange(0, len(twemoji), 120)
    moved = shift(twemoji.images[rows], 4, 4)
    assert similarity(moved, twemoji.images[rows]).diagonal().max() < 0.9


def test_the_rank_counts_the_pictures_that_are_more_alike(twemoji):
    images, gallery = twemoji.images[:6], twemoji.images[:50]
    truth = torch.tensor([0, 9, 20, 31, 42, 49])
    order = similarity(images, gallery).argsort(dim=1, descending=True)
    expected = [order[i].tolist().index(row) for i, row in enumerate(truth.tolist())]
    assert rank_among(images, gallery, truth).tolist() == expected


def test_pictures_that_leave_the_range_are_judged_as_they_would_be_shown(twemoji):
    glaring = twemoji.images[:3] * 5
    expected = similarity(glaring.clamp(-1, 1), twemoji.images[:50])
    assert torch.equal(similarity(glaring, twemoji.images[:50]), expected)


def test_noise_is_no_emoji(twemoji):
    noise = torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    truth = torch.arange(40) * 30
    assert (rank_among(noise, twemoji.images, truth) < 5).float().mean() < 0.1


def test_real_noto_finds_its_twin_of_another_artist_in_six_of_ten_cases(emoji, twemoji):
    """The ceiling: what a picture by another hand reaches, among all concepts that both drew."""
    noto = emoji.where([style == "noto" for style in emoji.styles])
    row_of = {concept: row for row, concept in enumerate(twemoji.concepts)}
    truth = torch.tensor([row_of.get(concept, -1) for concept in noto.concepts])
    both = truth >= 0
    assert both.sum() > 1000
    ranks = rank_among(noto.images[both], twemoji.images, truth[both])
    assert 0.50 < (ranks < 5).float().mean() < 0.75


@pytest.mark.parametrize("size", [64, 28])
def test_pictures_of_another_size_get_one_sentence(twemoji, size):
    with pytest.raises(ValueError, match=rf"\(B, 3, 32, 32\).*\(2, 3, {size}, {size}\)"):
        similarity(torch.zeros(2, 3, size, size), twemoji.images[:9])


@pytest.mark.parametrize("judged", [lambda x: similarity(x, waves(4)), extract_features])
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(32, 32), r"shape \(B, C, H, W\)"),
        (torch.zeros(2, 1, 32, 32), r"\(B, 3, 32, 32\), got torch.float32 \(2, 1, 32, 32\)"),
        (torch.full((2, 3, 32, 32), float("nan")), "NaN or infinite"),
        (torch.zeros(0, 3, 32, 32), "at least one picture"),
    ],
)
def test_wrong_pictures_get_one_sentence(judged, images, words):
    with pytest.raises(ValueError, match=words):
        judged(images)


# ---- nearest ------------------------------------------------------------------------------------


def test_the_nearest_picture_of_a_known_one_is_itself(twemoji):
    rows = torch.tensor([5, 0, 700])
    found, error = nearest(twemoji.images[rows], twemoji.images)
    assert torch.equal(found, rows) and error.shape == (3,)
    assert error.max() < 1e-6


def test_the_error_of_a_copy_is_exactly_zero(twemoji):
    _, error = nearest(twemoji.images[:40], twemoji.images)
    assert torch.equal(error, torch.zeros(40))


def test_nearest_finds_the_smallest_mean_squared_error(twemoji):
    images = waves(5).float()
    gallery = twemoji.images[:60]
    found, error = nearest(images, gallery)
    for i in range(5):
        errors = (gallery - images[i]).square().mean(dim=(1, 2, 3))
        assert found[i] == errors.argmin()
        torch.testing.assert_close(error[i], errors.min(), rtol=1e-4, atol=0)


# ---- a crowd ------------------------------------------------------------------------------------


def test_a_picture_has_the_same_features_in_every_crowd(twemoji):
    images = twemoji.images[:7]
    together = extract_features(images)
    assert together.shape == (7, 64) and together.dtype == torch.float64
    torch.testing.assert_close(extract_features(images, batch=2), together, rtol=0, atol=1e-4)
    torch.testing.assert_close(extract_features(images[3:4]), together[3:4], rtol=0, atol=1e-4)


def test_the_judge_names_group_and_style_of_pictures_it_never_saw(emoji):
    unseen = emoji.where(emoji.held_out)
    with torch.no_grad():
        features = load_feature_net()(unseen.images)
        for head, words, chance in (
            (load_feature_net().group, unseen.groups, 1 / 7),
            (load_feature_net().style, unseen.styles, 1 / 6),
        ):
            kinds = sorted(set(words))
            truth = torch.tensor([kinds.index(word) for word in words])
            right = (head(features).argmax(1) == truth).float().mean()
            assert right > 3 * chance


def test_a_fresh_feature_net_measures_any_batch():
    assert FeatureNet()(torch.zeros(2, 3, 32, 32)).shape == (2, 64)


def with_mean_and_deviations(mean, deviations, n=200, seed=0):
    """A crowd whose sample mean is `mean` and whose sample covariance is diagonal, both exactly."""
    crowd = random_crowd(n, len(mean), seed)
    crowd = crowd - crowd.mean(0)
    whiten = torch.linalg.inv(torch.linalg.cholesky(torch.cov(crowd.T)))
    return crowd @ whiten.T * torch.tensor(deviations).double() + torch.tensor(mean).double()


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    mean_a, mean_b = [0.0, 1.0, -2.0], [0.5, 1.0, 1.0]
    std_a, std_b = [1.0, 0.1, 2.0], [3.0, 0.2, 2.0]
    a = with_mean_and_deviations(mean_a, std_a, seed=0)
    b = with_mean_and_deviations(mean_b, std_b, n=333, seed=1)
    expected = sum((p - q) ** 2 for p, q in zip(mean_a + std_a, mean_b + std_b))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_any_two_crowds_equals_another_way_to_compute_it():
    """The trace of the root of A B is the sum of the roots of the eigenvalues of A B."""
    a = random_crowd(300, seed=0) @ random_crowd(5, seed=2) + 1
    b = random_crowd(200, seed=1) @ random_crowd(5, seed=3)
    cov_a, cov_b = (np.cov(x.numpy(), rowvar=False) for x in (a, b))
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    expected = means + np.trace(cov_a) + np.trace(cov_b) - 2 * roots
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_is_symmetric_and_zero_for_the_same_crowd():
    a, b = random_crowd(50, seed=0), 2 * random_crowd(60, seed=1) + 1
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, b) > 1


def test_the_frechet_distance_of_few_pictures_with_many_features_is_still_a_number():
    a, b = random_crowd(4, 64, seed=0), random_crowd(3, 64, seed=1)
    assert math.isfinite(frechet_distance(a, b)) and frechet_distance(a, b) > 0
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (0, 5)])
def test_too_few_pictures_for_a_frechet_distance_get_one_sentence(n, m):
    with pytest.raises(ValueError, match=f"need at least 2 pictures on each side, got {n} and {m}"):
        frechet_distance(random_crowd(n), random_crowd(m))


def test_a_crowd_has_full_precision_and_recall_of_itself():
    assert precision_recall(random_crowd(60), random_crowd(60)) == (1, 1)


def test_a_far_crowd_has_neither_precision_nor_recall():
    assert precision_recall(random_crowd(60), random_crowd(60, seed=1) + 100) == (0, 0)


def test_a_crowd_that_repeats_one_good_picture_has_precision_without_recall():
    real = random_crowd(200)
    fake = real[:1] + 1e-6 * random_crowd(50, seed=1)
    precision, recall = precision_recall(real, fake)
    assert precision == 1 and recall < 0.05


def test_precision_and_recall_equal_a_count_by_hand():
    real, fake, k = random_crowd(30, 2), 1.5 * random_crowd(40, 2, seed=1), 3

    def share(points, crowd):
        inside = 0
        for point in points:
            for centre in crowd:
                radius = sorted(math.dist(centre, other) for other in crowd)[k]
                if math.dist(point, centre) <= radius:
                    inside += 1
                    break
        return inside / len(points)

    real_list, fake_list = real.tolist(), fake.tolist()
    expected = share(fake_list, real_list), share(real_list, fake_list)
    assert precision_recall(real, fake, k) == pytest.approx(expected)
    assert 0 < expected[0] < 1


@pytest.mark.parametrize(("n", "m"), [(3, 50), (50, 3), (0, 50)])
def test_too_few_pictures_for_precision_get_one_sentence(n, m):
    with pytest.raises(ValueError, match=f"at least 4 pictures on each side, got {n} and {m}"):
        precision_recall(random_crowd(n), random_crowd(m))


# ---- error by noise level -----------------------------------------------------------------------


class Oracle(torch.nn.Module):
    """Knows the clean pictures, so it can tell everything about the dust on them."""

    def __init__(self, clean, schedule, predicts):
        super().__init__()
        self.clean, self.schedule, self.predicts = torch.nn.Parameter(clean), schedule, predicts

    def forward(self, x_t, t):
        alpha_bar = self.schedule.alpha_bar[t].reshape(-1, 1, 1, 1)
        noise = (x_t - alpha_bar.sqrt() * self.clean) / (1 - alpha_bar).sqrt()
        velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * self.clean
        return {"noise": noise, "clean": self.clean, "velocity": velocity}[self.predicts]


class Silent(torch.nn.Module):
    """Always answers zero velocity."""

    predicts = "velocity"

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x_t, t):
        return torch.zeros_like(x_t)


@pytest.mark.parametrize("make_schedule", [cosine_schedule, linear_schedule])
@pytest.mark.parametrize("predicts", ["noise", "clean", "velocity"])
def test_a_perfect_network_makes_no_error_at_any_level(predicts, make_schedule):
    images, schedule = waves(4), make_schedule()
    loss = loss_by_level(Oracle(images, schedule, predicts), images, schedule)
    for errors in (loss.noise, loss.clean, loss.velocity):
        assert errors.shape == loss.t.shape == (12,)
        assert errors.max() < 1e-12


def test_the_levels_lie_evenly_between_clean_and_chaos():
    loss = loss_by_level(Silent(), waves(2), cosine_schedule(), levels=9)
    assert len(loss.t) == 9 and loss.t[0] > 0 and loss.t[-1] < 999
    assert loss.t.diff().min() >= 99 and loss.t.diff().max() <= 101


def test_the_errors_of_a_silent_network_follow_a_formula():
    """Its velocity error is mean(v^2); the noise is off by sqrt(alpha_bar) of v, the clean picture
    by sqrt(1 - alpha_bar) of it.
    """
    images, schedule = waves(16), cosine_schedule()
    loss = loss_by_level(Silent(), images, schedule)
    alpha_bar = schedule.alpha_bar[loss.t]
    expected = alpha_bar + (1 - alpha_bar) * images.square().mean()
    torch.testing.assert_close(loss.velocity.double(), expected, rtol=0.03, atol=0)
    torch.testing.assert_close(loss.noise / loss.velocity, alpha_bar.to(loss.noise))
    torch.testing.assert_close(loss.clean / loss.velocity, (1 - alpha_bar).to(loss.clean))


def test_the_same_seed_gives_the_same_errors():
    first, again, other = (
        loss_by_level(Silent(), waves(2), cosine_schedule(), levels=3, seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.velocity, again.velocity)
    assert not torch.equal(first.velocity, other.velocity)


def test_errors_of_wrong_pictures_get_one_sentence():
    with pytest.raises(ValueError, match=r"shape \(B, C, H, W\)"):
        loss_by_level(Silent(), torch.zeros(8, 8), cosine_schedule())


# ---- what is decided when? ----------------------------------------------------------------------


def checkers(size, n=4):
    """n pictures of random squares, (n, 3, 32, 32): means of size x size pixels, and nothing finer.

    Squares of 2 have no coarser part either: each block of 8 x 8 pixels has the mean 0.
    """
    torch.manual_seed(size)
    squares = torch.randn(n, 3, 32 // size, 32 // size)
    if size < 8:
        means = torch.nn.functional.avg_pool2d(squares, 8 // size)
        squares = squares - means.repeat_interleave(8 // size, 2).repeat_interleave(8 // size, 3)
    return squares.repeat_interleave(size, 2).repeat_interleave(size, 3)


def test_each_part_of_a_prediction_is_decided_when_it_appears():
    coarse, middle, other = checkers(8), checkers(2), torch.randn(4, 3, 32, 32)
    end = coarse + middle + other
    shared = torch.randn(3, 32, 32)  # what all pictures share was never undecided
    decided = decided_by_scale(torch.stack([0 * end, coarse, coarse + middle, end]) + shared)
    assert list(decided) == ["coarse", "middle", "fine"]
    for name, row in decided.items():
        assert row[0] == pytest.approx(0, abs=1e-5) and row[-1] == pytest.approx(1)
        assert all(-1 <= r <= 1.000001 for r in row), name
    assert decided["coarse"][1] > 0.9 > 0.1 > abs(decided["middle"][1])
    assert decided["middle"][2] > 0.5 > 0.1 > abs(decided["fine"][2])


def test_what_is_decided_is_the_correlation_of_numpy():
    x = torch.randn(2, 5, 1, 8, 8)
    flat = (x - x.mean(1, keepdim=True)).mean((3, 4)).flatten(1)  # the coarse part: one block
    want = np.corrcoef(flat.numpy())[0, 1]
    assert decided_by_scale(x)["coarse"][0] == pytest.approx(want)
    assert decided_by_scale(-x)["fine"] == decided_by_scale(x)["fine"]


@pytest.mark.parametrize("shape", [(3, 1, 3, 32, 32), (3, 4, 3, 30, 32), (0, 4, 3, 32, 32)])
def test_predictions_that_cannot_be_split_get_one_sentence(shape):
    with pytest.raises(ValueError, match="at least 2 pictures, height and width multiples of 8"):
        decided_by_scale(torch.zeros(shape))
