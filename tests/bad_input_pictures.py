"""Pictures, noise levels, networks and numbers: good ones, and how to spoil them."""

import math

import torch
from bad_input_cases import (
    Case,
    close,
    count,
    device,
    finite,
    floats,
    junk,
    level,
    mix,
    number,
    odd_floats,
    of_shape,
    one,
    seed,
    seeded_generator,
    shaped_like,
    thing,
    together,
    whole_numbers,
    wrong_floats,
)
from hypothesis import strategies as st

from diffusion_helpers import UNet, cosine_schedule, ddim, linear_schedule
from diffusion_helpers.attention import Attention
from diffusion_helpers.distillation import ddim_step
from diffusion_helpers.evaluation import FeatureNet, similarity
from diffusion_helpers.sampling import guided, with_schedule
from diffusion_helpers.text import empty_text
from diffusion_helpers.twins import NearBlock, PlaceNorm, TwinsNet
from diffusion_helpers.unet import GUIDANCE_RANGE, Block


def lively(net):
    """A network whose every layer matters: fresh ones end in zeros."""
    with torch.no_grad():
        for weight in net.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=seeded_generator(0))
    return net.eval().requires_grad_(False)


COSINE = cosine_schedule()
PICTURES, SCENES = of_shape("B", 3, 8, 8), of_shape("B", 3, 32, 32)
T = whole_numbers(1000, "B")
NET = lively(UNet((3, 8, 8), widths=(16, 32), blocks=1, attention=True))
BLIND = lively(UNet((3, 8, 8), widths=(16, 32), blocks=1, time=False))
LISTENER = lively(UNet((3, 8, 8), widths=(16,), blocks=1, text=True))
DISTILLED = lively(UNet((3, 8, 8), widths=(16,), blocks=1, text=True, distilled_steps=2))


# ---- ways to spoil them -------------------------------------------------------------------------


def features(good):
    """Inside a network: kinds and shapes are looked at, but not every number."""
    return mix(
        wrong_floats(good, inside=True),
        [*odd_floats(good), one(good[:0], good[:, :0])],
    )


def alpha_bars(good):
    return mix(
        [
            junk(but="array list tensor"),
            one(good[0], good[None], good[:1], good[:0], good.flip(0), good - 2, good + 1),
            one(good.to(torch.complex128), good.to("meta"), good / 0, -good),
            one([[1.0, 0.5]], [1.0, "a"], [None, None], [0.9, float("nan")], {}, [0.1, 0.9]),
        ],
        [one(good.float(), good.half(), good.tolist(), good.numpy(), tuple(good.tolist()), [1, 0])],
    )


def shape_of_pictures(good):
    return mix(
        [
            junk(but="list"),
            one((), (3,), (3, 8), (3, 8, 8, 8), (0, 8, 8), (3, -8, 8), (3, 8.5, 8), (3, 0, 8)),
            one((3, None, 8), "388", (math.nan, 8, 8), ("3", "8", "8"), (True, 8, 8)),
        ],
        [one([3, 8, 8], (1, 8, 16), torch.Size((3, 8, 8)), torch.tensor([3, 8, 8]))],
    )


def widths(good):
    return mix(
        [junk(), one([0], [-16], [16, 0], [16.0], ["16"], [None], [16, 20], [True])],
        [one([16], (16, 16), [112], [48, 80], torch.tensor([16, 32]))],
    )


def listed(name, **more):
    """What a mask of True and False may look like."""

    def spoil(good):
        return mix(
            [
                junk(but="none"),
                one(good.float(), good.long(), good[:, :-1], good[0], good.tolist(), good[:0]),
                one(torch.cat([good, good])),
            ],
            [one(None, good & False, good | True, good.flip(0))],
        )

    return spoil


masks = listed("mask")


def crowds(good):
    """Features of many pictures, (N, D)."""
    return floats(good)


def rows(table):
    """Spoiled row numbers of a table with so many rows."""

    def spoil(good):
        return mix(
            [
                junk(but="list array tensor"),
                one(good.float(), good.bool(), good[None], good[:0], good + table, good - table),
                one(good.to("meta"), [table], [-1], [0.5], ["a"]),
            ],
            [one(good.int(), good.tolist(), good.numpy(), good.to(torch.uint8))],
        )

    return spoil


# ---- right answers ------------------------------------------------------------------------------


def built(*inputs):
    """A layer that was made must work."""
    return lambda result, **_: finite(result(*inputs))


def right_dust(result, x_0, t, eps, schedule):
    """Each picture alone, in full precision."""
    ts = torch.as_tensor(t).long().expand(len(x_0))
    a = schedule.alpha_bar[ts].reshape(-1, 1, 1, 1)
    close(result, a.sqrt() * x_0.double() + (1 - a).sqrt() * eps.double(), like=x_0)


def right_schedule(result, steps=None, **_):
    a = result.alpha_bar
    assert a.dtype == torch.float64 and a.ndim == 1 and len(a) == (steps or len(a))
    assert ((a >= 0) & (a <= 1)).all() and (a.diff() <= 0).all()


def right_square_roots(result, self, t, like):
    signal_rate, noise_rate = result
    b = torch.as_tensor(t).numel()
    assert signal_rate.shape == noise_rate.shape == (b, 1, 1, 1)
    assert signal_rate.dtype == noise_rate.dtype == like.dtype and signal_rate.device == like.device
    if like.device.type != "meta":
        assert ((signal_rate.double() ** 2 + noise_rate.double() ** 2) - 1).abs().max() < 2e-2


def right_prediction(result, x_t, t, schedule, **_):
    signal_rate, noise_rate = schedule.rates(t, like=x_t.double())
    whole = signal_rate * result.clean.double() + noise_rate * result.noise.double()
    close(whole.to(x_t.dtype), x_t.double(), like=x_t)
    finite(result)


def right_steps(result, x_T, steps=20, **_):
    assert len(result) == steps
    ts = [step.t for step in result]
    assert ts == sorted(set(ts), reverse=True) and ts[-1] >= 0
    for step in result:
        finite([step.x_t, step.clean, step.noise])
        assert step.x_t.shape == step.clean.shape == x_T.shape and step.clean.dtype == x_T.dtype


def right_landing(result, x_t, x_next, t, t_next, schedule):
    """One step with the velocity lands on x_next, as exactly as its number format lets it."""
    finite(result)
    assert result.shape == x_t.shape and result.dtype == x_t.dtype
    landed = ddim_step(result.double(), x_t.double(), t, t_next, schedule)
    close(landed.to(x_t.dtype), x_next.double(), like=x_t)


def right_levels(result, steps, **_):
    assert len(result) == steps == len(set(result)) and sorted(result, reverse=True) == result
    assert result[-1] >= 0


def right_chaos(result, n, image_shape, **_):
    finite(result)
    assert result.shape == (n, *image_shape) and result.std() > 0.5


def right_samples(result, model, n=1, prompt=None, style=None, **_):
    said = max(len(x) if isinstance(x, (list, tuple)) else 1 for x in (prompt, style))
    finite(result)
    assert result.shape == (said * n, *model.image_shape) and result.abs().max() <= 1


def right_answer(name="x_t"):
    """Each picture gets the answer that it gets alone."""

    def right(result, self, **arguments):
        x = arguments.pop(name)
        finite(result)
        assert result.shape == x.shape and result.dtype == x.dtype

    return right


def alone(name="x"):
    """What a layer says of the first of a batch, it says of it alone."""

    def right(result, self, **arguments):
        first = {k: v[:1] if torch.is_tensor(v) else v for k, v in arguments.items()}
        assert len(result) == len(arguments[name])
        torch.testing.assert_close(result[:1], self(**first), rtol=1e-1, atol=1e-1, equal_nan=True)

    return right


def right_attention(result, query, key, value, mask=None):
    taken, weights = result
    assert taken.shape == (*query.shape[:3], value.shape[3])
    seen = torch.ones(len(key), key.shape[2], dtype=torch.bool) if mask is None else mask
    some = seen.any(1)  # a row that hides everything has no right answer, and the doc says so
    if some.any() and query.isfinite().all() and key.isfinite().all() and query.abs().max() < 1e9:
        assert (weights[some].double().sum(-1) - 1).abs().max() < 5e-2
        assert not weights[some].masked_select(~seen[some][:, None, None, :]).any()


def right_likeness(result, images, gallery):
    finite(result)
    assert result.shape == (len(images), len(gallery)) and result.abs().max() < 1.01
    torch.testing.assert_close(result[:1], similarity(images[:1], gallery), rtol=0, atol=2e-2)


def right_ranks(result, images, gallery, truth):
    assert result.shape == (len(images),) and (result >= 0).all() and (result < len(gallery)).all()


def right_patches(result, images):
    """Four patches of 4 x 4 pixels a picture, or one number for all."""
    if isinstance(result, float):
        assert result >= 0
    else:
        assert len(result) == 4 * len(images)


def right_nearest(result, images, gallery):
    row, error = result
    finite(error)
    errors = (images.double()[:, None] - gallery.double()[None]).square().mean((2, 3, 4))
    torch.testing.assert_close(error.double(), errors.amin(1), rtol=3e-2, atol=1e-3)
    assert ((row >= 0) & (row < len(gallery))).all()


def right_distance(result, real, fake):
    finite(result)
    assert result > -1e-3 * (1 + real.double().square().mean() + fake.double().square().mean())


def right_shares(result, cleans):
    assert list(result) == ["coarse", "middle", "fine"]
    for row in result.values():
        assert len(row) == len(cleans) and all(abs(share) < 1.001 for share in row)


def right_losses(result, schedule, levels=12, **_):
    finite(result)
    assert len(result.t) == len(result.noise) == levels and (result.t.diff() > 0).all()
    assert result.t.min() >= 0 and result.t.max() < len(schedule) and min(result.noise) >= 0


# ---- the table ----------------------------------------------------------------------------------


def sampler(name, **more):
    return Case(
        f"sampling.{name}",
        together(
            model=one(NET),
            x_T=PICTURES,
            steps=st.integers(1, 4),
            schedule=one(COSINE, None, linear_schedule()),
        ),
        right_steps,
        {
            "model": thing(),
            "x_T": floats,
            "steps": count(1, 1000),
            "schedule": thing(but="none"),
            "text": thing(but="none"),
        }
        | more,
    )


def steps_or_levels(good):
    """As `steps`, and lists of levels."""
    single = count(1, 1000)(good).filter(lambda s: not isinstance(s.value, list))
    wrong = one([], [None], [1000], [3, 3], [3, 5], [0.5], ["7"], [-1], (9, 3))
    return single | mix([wrong], [one([7], [999, 500, 0], [9])])


def seeds(good):
    """As `seed`, and lists of them; the pictures are three at most."""
    single = seed(good).filter(lambda s: not isinstance(s.value, (list, tuple)))
    wrong = one([], [None], (0.5,), ["7"], [True], range(2), [1] * 9)
    return single | mix([wrong], [one([7], [7, -1], (3, 10**30, 3))])


def scales(good):
    """Spoiled guidance scales: one for all pictures, or one each."""
    return number()(good) | mix(
        [junk(but="whole number flag tensor"), one(good.long(), good[None], good[:0], good / 0)],
        [one(good.double(), good.half(), good[:1], good * 0)],
    )


NOISING = [
    Case(
        "noising.Schedule",
        together(alpha_bar=st.integers(2, 60).map(lambda n: torch.linspace(1, 0, n).double())),
        right_schedule,
        {"alpha_bar": alpha_bars},
    ),
    Case(
        "noising.Schedule.rates",
        together(self=one(COSINE), t=T, like=PICTURES),
        right_square_roots,
        {
            "t": level(1000, clean=True),
            "like": lambda good: mix(
                [junk(but="tensor"), one(good.int(), good.bool(), good.to(torch.complex64))],
                [one(good.double(), good.half(), good.to("meta"))],
            ),
        },
    ),
    Case(
        "noising.cosine_schedule",
        together(steps=st.integers(2, 60)),
        right_schedule,
        {"steps": count(2, 1_000_000)},
    ),
    Case(
        "noising.linear_schedule",
        together(steps=st.integers(2, 60), beta_start=one(1e-4, 0.0), beta_end=one(0.02, 1.0)),
        right_schedule,
        {"steps": count(2, 1_000_000), "beta_start": number(0, 1), "beta_end": number(0, 1)},
    ),
    Case(
        "noising.add_noise",
        together(x_0=PICTURES, t=T, eps=PICTURES, schedule=one(COSINE)),
        right_dust,
        {"x_0": floats, "t": level(1000), "eps": floats, "schedule": thing()},
    ),
    Case(
        "noising.check_schedule",
        together(schedule=one(COSINE)),
        lambda result, schedule: None,
        {"schedule": thing()},
    ),
]

SAMPLING = [
    Case(
        "sampling.predict",
        together(model=one(NET), schedule=one(COSINE), x_t=PICTURES, t=T),
        right_prediction,
        {
            "model": thing(),
            "schedule": thing(),
            "x_t": floats,
            "t": level(1000, clean=True),
            "text": thing(but="none"),
        },
    ),
    Case(
        "sampling.timesteps",
        together(steps=st.integers(1, 9), total=st.integers(9, 1000)),
        right_levels,
        {"steps": count(1, 1000), "total": count()},
    ),
    Case(
        "sampling.logsnr_timesteps",
        together(steps=st.integers(1, 50), schedule=one(COSINE, cosine_schedule(50))),
        right_levels,
        {"steps": count(1, 1000), "schedule": thing()},
    ),
    sampler("ddim", eta=number(0, 1), seed=seeds),
    sampler("ddpm", seed=seeds),
    sampler("dpm_solver", steps=steps_or_levels),
    Case(
        "sampling.pure_noise",
        together(
            n=st.integers(1, 3), image_shape=one((3, 8, 8), (1, 16, 8)), seed=st.integers(0, 99)
        ),
        right_chaos,
        {"n": count(), "image_shape": shape_of_pictures, "seed": seeds, "device": device},
    ),
    Case(
        "sampling.guided",
        together(model=one(LISTENER), text=one(empty_text(1)), scale=one(0, 1, 3.0, -2)),
        lambda result, **_: right_steps(result, torch.ones(2, 3, 8, 8), steps=1),
        {
            "model": thing(),
            "text": thing(),
            "negative": thing(but="none"),
            "scale": number(),
        },
        lambda **kw: list(ddim(guided(**kw), torch.ones(2, 3, 8, 8), steps=1)),
    ),
    Case(
        "sampling.with_schedule",
        together(model=one(NET), schedule=one(COSINE, linear_schedule(), cosine_schedule(50))),
        lambda result, **_: right_steps(result, torch.ones(2, 3, 8, 8), steps=1),
        {"model": thing(), "schedule": thing()},
        lambda **kw: list(ddim(with_schedule(**kw), torch.ones(2, 3, 8, 8), steps=1)),
    ),
    Case(
        "sampling.sample",
        together(model=one(NET), steps=one(1, 2), seed=st.integers(0, 9), n=st.integers(1, 3)),
        right_samples,
        {
            "model": thing(),
            "steps": count(1, 1000, none=True),
            "sampler": thing(but="thing"),
            "seed": seeds,
            "n": count(),
        },
    ),
]

LEVELS = {"t": one(999, 500), "t_next": one(-1, 0, 249), "schedule": one(COSINE)}
SPOILED_LEVELS = {"t": level(1000), "t_next": level(1000, clean=True), "schedule": thing()}
DISTILLATION = [
    Case(
        "distillation.ddim_step",
        together(velocity=PICTURES, x_t=PICTURES, **LEVELS),
        shaped_like("x_t"),
        {"velocity": floats, "x_t": floats} | SPOILED_LEVELS,
    ),
    Case(
        "distillation.landing_velocity",
        together(x_t=PICTURES, x_next=PICTURES, **LEVELS),
        right_landing,
        {"x_t": floats, "x_next": floats} | SPOILED_LEVELS,
    ),
    Case(
        "distillation.halved_target",
        together(teacher=one(NET), x_t=PICTURES, t=one(999), t_middle=one(499), t_next=one(-1)),
        shaped_like("x_t"),
        {
            "teacher": thing(),
            "x_t": floats,
            "t": level(1000),
            "t_middle": level(1000),
            "t_next": level(1000, clean=True),
        },
    ),
    Case(
        "distillation.guided_velocity",
        together(
            teacher=one(LISTENER),
            x_t=PICTURES,
            t=T,
            text=one(empty_text(1)),
            scale=of_shape("B"),
        ),
        shaped_like("x_t"),
        {"teacher": thing(), "x_t": floats, "t": level(1000), "text": thing(), "scale": scales},
    ),
]

BLOCK = lively(Block(16, 16, c_time=8, attention=True, c_text=24))
LAYER, CROSS = lively(Attention(16, heads=2)), lively(Attention(16, 24, heads=2))
UNETS = [
    Case(
        "unet.Block",
        together(c_in=one(16, 32), c_out=one(16, 48), c_time=one(None, 8), c_text=one(None, 24)),
        lambda result, c_in, c_time, c_text, **_: finite(
            result(
                torch.ones(2, c_in, 4, 4),
                torch.ones(2, c_time or 1),
                torch.ones(2, 3, c_text or 1),
            )
        ),
        {
            "c_in": count(),
            "c_out": count(),
            "c_time": count(none=True),
            "c_text": count(none=True),
        },
    ),
    Case(
        "unet.Block.forward",
        together(
            self=one(BLOCK),
            x=of_shape("B", 16, 4, 4),
            time=of_shape("B", 8),
            tokens=of_shape("B", 5, 24),
            mask=whole_numbers(2, "B", 5),
        ).map(lambda a: a | {"mask": a["mask"].bool() | (torch.arange(5) == 0)}),
        alone(),
        {"x": features, "time": features, "tokens": features, "mask": masks},
    ),
    Case(
        "unet.UNet",
        together(image_shape=one((3, 8, 8), (1, 5, 7)), widths=one((16,), [16, 32])),
        lambda result, image_shape, **_: finite(result(torch.ones(1, *image_shape), 7)),
        {
            "image_shape": shape_of_pictures,
            "widths": widths,
            "blocks": count(),
            "predicts": lambda good: mix([junk()]),
            "text_width": count(),
            "distilled_steps": count(none=True),
        },
    ),
    Case(
        "unet.UNet.encode_text",
        together(self=one(DISTILLED), text=one(None, empty_text(2)), guidance_scale=one(1, 2.5)),
        lambda result, **_: finite(result.pooled),
        {"text": thing(but="none"), "guidance_scale": number(*GUIDANCE_RANGE, none=True)},
    ),
    Case(
        "unet.UNet.forward",
        together(self=one(NET), x_t=PICTURES, t=T),
        right_answer(),
        {"x_t": floats, "t": level(None), "text": thing(but="none")},
    ),
    Case(
        "unet.look_inside",
        together(net=one(BLIND), x_t=PICTURES, parts=one(["enter", "leave"])),
        lambda result, x_t, **_: finite(result["leave"][1][: len(x_t)]),
        {"net": thing(), "x_t": floats, "parts": lambda good: mix([junk(but="list")])},
    ),
    Case(
        "attention.attend",
        together(
            query=of_shape("B", 2, 4, 8),
            key=of_shape("B", 2, 5, 8),
            value=of_shape("B", 2, 5, 8),
            mask=whole_numbers(2, "B", 5),
        ).map(lambda a: a | {"mask": a["mask"].bool()}),
        right_attention,
        {"query": features, "key": features, "value": features, "mask": masks},
    ),
    Case(
        "attention.Attention",
        together(width=one(16, 32), heads=one(1, 2)),
        lambda result, width, context_width=None, **_: finite(
            result(torch.ones(2, 3, width), torch.ones(2, 5, context_width or width))
        ),
        {"width": count(), "context_width": count(none=True), "heads": count()},
        lambda width, context_width=None, heads=4: Attention(width, context_width, heads),
    ),
    Case(
        "attention.Attention.forward",
        together(
            self=one(CROSS),
            x=of_shape("B", 4, 16),
            context=of_shape("B", 5, 24),
            mask=whole_numbers(2, "B", 5),
        ).map(lambda a: a | {"mask": a["mask"].bool()}),
        alone(),
        {"x": features, "context": features, "mask": masks},
    ),
    Case(
        "attention.capture_attention",
        together(model=one(NET)),
        lambda result, model: None,
        {"model": thing(but="thing")},
        lambda model: watched(model),
    ),
    Case(
        "attention.changed_attention",
        together(change=one(torch.zeros_like)),
        lambda result, change: None,
        {"change": thing(but="thing")},
        lambda change: changed(change),
    ),
]


def changed(change):
    from diffusion_helpers.attention import changed_attention

    with changed_attention(change):
        return Attention(4, heads=1)(torch.ones(1, 2, 4))


def watched(model):
    from diffusion_helpers.attention import capture_attention

    with capture_attention(model) as maps:
        return maps


NEAR = lively(NearBlock(PlaceNorm, 8, attention=True))
TWINS = [
    Case(
        "twins.twins",
        together(n=st.integers(1, 3), seed=st.integers(0, 9)),
        lambda result, n, **_: (finite(result), result.shape == (n, 3, 32, 32) or 1 / 0),
        {"n": count(), "seed": seed},
    ),
    Case(
        "twins.compare_colours",
        together(pictures=SCENES),
        lambda result, pictures: [len(part) == len(pictures) or 1 / 0 for part in result],
        {"pictures": floats},
    ),
    Case(
        "twins.score",
        together(pictures=SCENES),
        lambda result, pictures: 0 <= result.well_formed <= 1 or 1 / 0,
        {"pictures": floats},
    ),
    Case(
        "twins.with_frame",
        together(pictures=SCENES),
        lambda result, pictures: result.shape[2] == pictures.shape[2] + 2 or 1 / 0,
        {"pictures": floats},
    ),
    Case(
        "twins.PlaceNorm",
        together(channels=one(8)),
        lambda result, channels: finite(result(torch.ones(1, channels, 2, 2))),
        {"channels": count()},
    ),
    Case(
        "twins.PlaceNorm.forward",
        together(self=one(PlaceNorm(8)), h=of_shape("B", 8, 2, 2)),
        alone("h"),
        {"h": features},
    ),
    Case(
        "twins.TwinsNet",
        together(attention=one(True, False)),
        built(torch.ones(1, 3, 32, 32), 7),
        {"norm": thing(but="thing")},
    ),
    Case(
        "twins.TwinsNet.forward",
        together(self=one(lively(TwinsNet())), x_t=SCENES, t=T),
        right_answer(),
        {"x_t": floats, "t": level(None)},
    ),
    Case(
        "twins.load_twins",
        together(attention=one(True, False), device=one("cpu")),
        built(torch.ones(1, 3, 32, 32), 7),
        {"device": device},
    ),
]

CROWD = of_shape(6, 4)
EVALUATION = [
    Case(
        "evaluation.similarity",
        together(images=SCENES, gallery=of_shape(3, 3, 32, 32)),
        right_likeness,
        {"images": floats, "gallery": floats},
    ),
    Case(
        "evaluation.rank_among",
        together(images=SCENES, gallery=of_shape(3, 3, 32, 32), truth=whole_numbers(3, "B")),
        right_ranks,
        {"images": floats, "gallery": floats, "truth": rows(3)},
    ),
    Case(
        "evaluation.nearest",
        together(images=PICTURES, gallery=of_shape(4, 3, 8, 8)),
        right_nearest,
        {"images": floats, "gallery": floats},
    ),
    Case(
        "evaluation.FeatureNet",
        together(groups=one(7), styles=one(6)),
        built(torch.ones(1, 3, 32, 32)),
        {"groups": count(), "styles": count()},
    ),
    Case(
        "evaluation.FeatureNet.forward",
        together(self=one(FeatureNet().requires_grad_(False)), images=SCENES),
        alone("images"),
        {"images": features},
    ),
    Case(
        "evaluation.extract_features",
        together(images=SCENES, batch=one(1, 250)),
        lambda result, images, **_: (finite(result), result.shape == (len(images), 64) or 1 / 0),
        {"images": floats, "batch": count()},
    ),
    Case(
        "evaluation.frechet_distance",
        together(real=CROWD, fake=CROWD),
        right_distance,
        {"real": crowds, "fake": crowds},
    ),
    Case(
        "evaluation.precision_recall",
        together(real=CROWD, fake=CROWD, k=one(1, 3)),
        lambda result, **_: [0 <= share <= 1 or 1 / 0 for share in result],
        {"real": crowds, "fake": crowds, "k": count()},
    ),
    *(
        Case(f"grain.{name}", together(images=PICTURES), right_patches, {"images": floats})
        for name in ("patches", "flat_patches", "grain")
    ),
    Case(
        "evaluation.decided_by_scale",
        together(cleans=of_shape("B", 2, 3, 8, 8)),
        right_shares,
        {"cleans": floats},
    ),
    Case(
        "evaluation.loss_by_level",
        together(model=one(NET), images=PICTURES, schedule=one(COSINE), levels=one(1, 2)),
        right_losses,
        {
            "model": thing(),
            "images": floats,
            "schedule": thing(),
            "levels": count(1, 998),
            "seed": seed,
        },
    ),
]

CASES = NOISING + SAMPLING + DISTILLATION + UNETS + TWINS + EVALUATION
