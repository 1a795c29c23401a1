"""Files, folders, data sets and trainings: good ones, and how to spoil them."""

import io
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from bad_input_cases import (
    ANY_TEXT,
    ROOM,
    Case,
    count,
    device,
    finite,
    floats,
    junk,
    level,
    mix,
    number,
    of_shape,
    one,
    seed,
    seeded_generator,
    thing,
    together,
    whole_numbers,
)
from bad_input_pictures import COSINE, NET, features
from hypothesis import strategies as st
from PIL import Image

from diffusion_helpers import UNet, load_emoji
from diffusion_helpers.checkpoints import quantize_int8, save_checkpoint, save_tensors
from diffusion_helpers.data import DATA, Pictures
from diffusion_helpers.training import train

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "01_forward_noising.ipynb"
EMOJI = load_emoji()
EMPTY = Path(tempfile.mkdtemp(dir=ROOM))
NETWORK = ROOM / "net.safetensors"
save_checkpoint(UNet((3, 8, 8), widths=(16,), blocks=1), NETWORK)

# ---- ways to spoil them -------------------------------------------------------------------------


def on_disk(name, content):
    path = ROOM / name
    path.write_bytes(content)
    return path


def damaged(content, ending):
    """Files that were cut, changed in a byte, or are something else."""
    size = len(content)
    cut = st.integers(0, size - 1).map(lambda n: content[:n])
    turned = st.tuples(st.integers(0, size - 1), st.integers(1, 255)).map(
        lambda x: content[: x[0]] + bytes([content[x[0]] ^ x[1]]) + content[x[0] + 1 :]
    )
    other = one(b"", b"text", b"\x80\x04]q\x00.", NOTEBOOK.read_bytes(), b"{}", b"\x00" * 999)
    return st.one_of(cut, turned, other).map(lambda c: on_disk(f"damaged{ending}", c))


def names(ending=""):
    """Names of nothing."""
    wrong = ("no such", "", ".", "/", "a" * 9999, "\x00", "\ud800", "a\nb", "..", "~", "CON")
    return one(*(name + ending for name in wrong))


def networks(good):
    content = NETWORK.read_bytes()
    folder = ROOM / "folder.safetensors"
    folder.mkdir(exist_ok=True)
    bare = ROOM / "bare.safetensors"
    save_tensors(bare, {"a": torch.ones(2)}, {"config": {"widths": "a"}})
    return mix(
        [
            junk(),
            names(),
            names(".safetensors"),
            damaged(content, ".safetensors"),
            one(folder, NOTEBOOK, ROOM, DATA / "words" / "words.safetensors"),
        ],
        [one(str(NETWORK), bare)],  # tensors that are no network
    )


def a_picture(mode="RGB", size=(9, 7), kind="PNG", **how):
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(file, kind, **how)
    return file.getvalue()


KINDS = {".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WEBP"}


def folder_with(content, ending):
    folder = Path(tempfile.mkdtemp(dir=ROOM))
    (folder / f"picture{ending}").write_bytes(content)
    return folder


def folders(good):
    """A file among a student's pictures may hold anything; what opens is a picture."""
    broken = st.sampled_from(sorted(KINDS)).flatmap(
        lambda ending: damaged(a_picture(kind=KINDS[ending]), ending).map(
            lambda path: folder_with(path.read_bytes(), ending)
        )
    )
    random_bytes = st.tuples(st.binary(max_size=99), one(*KINDS)).map(lambda x: folder_with(*x))
    exif = st.binary(max_size=60).map(
        lambda e: folder_with(a_picture(kind="JPEG", exif=b"Exif\x00\x00" + e), ".jpg")
    )
    return mix(
        [
            junk(but="array tensor list text"),
            one("no such", "a" * 9999, "\x00", "\ud800", "a\nb", "a word"),
            one([], (), NOTEBOOK, str(NOTEBOOK), torch.zeros(0), EMPTY),
        ],
        [broken, random_bytes, exif],
    )


def items(good):
    """What a data set may hold."""
    picture = torch.rand(3, 6, 5, generator=seeded_generator(0))
    modes = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "RGBX", "I;16")
    return mix(
        [
            junk(),
            one(picture - 1, picture * 2, picture / 0, picture[0], picture[None], picture[:2]),
            one(picture.long(), picture.bool(), picture.to(torch.complex64), picture.numpy()),
            one(picture[:, :0], picture[..., :0], picture.to("meta"), (), [], (None, 3)),
            one(
                Image.new("I", (4, 4), 9**5), Image.new("F", (4, 4), 0.5), Image.new("RGB", (0, 4))
            ),
        ],
        [
            one(picture, picture.double(), picture.half(), (picture, 3), [picture], picture[:1]),
            one((255 * picture).byte(), picture.clone().requires_grad_(), picture.transpose(1, 2)),
            st.builds(Image.new, one(*modes), one((4, 4), (1, 1), (400, 1), (1, 400))),
        ],
    )


def keeps(good):
    return mix(
        [junk(), one(good.long(), good[:-1], good[None], good.tolist()[1:], good.to("meta"))],
        [one(good.tolist(), good.numpy(), good | True, good & False)],
    )


def bytes_of_pictures(good):
    return mix(
        [junk(), one(good.astype(float), good[0], good[None], good.tolist(), torch.tensor(good))],
        [one(good[:0], good[..., :1], good[::-1].copy())],
    )


def weights(good):
    nan = {"a": torch.tensor([[math.nan]])}
    return mix(
        [junk(but="dict"), one({"a": 1}, {5: torch.ones(2)}, {"a": None}, nan)],
        [one({}, {"a": torch.ones(2, 3).half()}, {"a": torch.zeros(2, 3)}, {"a": torch.ones(())})],
    )


def lessons(good):
    return mix([junk(), one("1", "../01", "99", "01 ", "<b>", "٠١")])


def data_sets(good):
    """What can be trained on."""
    x = torch.rand(4, 3, 8, 8) * 2 - 1
    return mix(
        [
            junk(but="tensor"),
            one(
                torch.tensor(3),
                torch.zeros(3),
                x[:0],
                x * 3,
                x[:, :1],
                x / 0,
                x.long(),
                x[0],
                [None] * 4,
                [],
                {},
                [x[0], x[1, :, 1:]],
            ),
        ],
        [one(x, list(x), [(p, 3) for p in x], x.double(), x.half(), x[:1], x * 0)],
    )


def budgets(good):
    return mix(
        [junk(but="whole number"), one(0, -1, math.nan, math.inf, "5")], [one(1, 2, 1.0, 0.5)]
    )


def predicted(good):
    return mix([junk(), one("Noise", "eps", "x_0")], [one("noise", "clean", "velocity")])


# ---- right answers ------------------------------------------------------------------------------


def kept(result, **_):
    """What fits is let through."""


def right_network(result, **_):
    finite(result(torch.ones(1, *result.image_shape), 3))


def right_pictures(result, source, size=32, channels=3):
    picture = result[0]
    finite(picture)
    assert picture.shape == (channels, size, size) and picture.abs().max() <= 1


def right_weights(result, tensors):
    finite(list(result.values()))


def right_training(result, model, **_):
    finite(result.losses)
    finite(list(model.state_dict().values()))
    assert result.finished and result.steps >= 1


def trained(**arguments):
    if arguments["model"] is None:
        arguments["model"] = UNet((3, 8, 8), widths=(16,), blocks=1)
    result = train(**{"report": lambda *_: None, "batch": 2} | arguments)
    right_training(result, arguments["model"])
    return result


# ---- the table ----------------------------------------------------------------------------------

PHOTOS = folder_with(a_picture(), ".png")
X = of_shape("B", 3, 8, 8)
ARRAY = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)

DATA_SETS = [
    Case(
        "data.Pictures",
        together(source=one(str(PHOTOS), PHOTOS), size=one(1, 32), channels=one(1, 3)),
        right_pictures,
        {
            "source": folders,
            "size": count(1, 4096),
            "channels": lambda good: mix([junk(but="whole"), one(0, 2, 4, -1)], [one(1, 3)]),
        },
    ),
    Case(
        "data.Pictures",
        together(source=one([torch.zeros(3, 4, 4)])),
        lambda result, source: (finite(result), result.shape == (3, 32, 32) or 1 / 0),
        {"source": lambda good: items(good).map(lambda s: s._replace(value=[s.value]))},
        lambda source: Pictures(source)[0],
    ),
    Case(
        "data.Emoji.where",
        together(self=one(EMOJI), keep=one(EMOJI.held_out)),
        lambda result, self, keep: len(result) == sum(map(int, keep)) or 1 / 0,
        {"keep": keeps},
    ),
    Case(
        "data.load_emoji",
        together(size=one(32)),
        None,
        {"size": lambda good: mix([junk(), one(31, 33, 32.0, -32, "32", [32], 16, 128)])},
    ),
    Case("data.to_signed", together(pictures=one(ARRAY)), finite, {"pictures": bytes_of_pictures}),
    Case(
        "data.read_data",
        together(name=one("emoji/emoji.json")),
        lambda result, name: len(result) > 100 or 1 / 0,
        {"name": lambda good: mix([junk(), names(), one("emoji", "../README.md", "words/..")])},
    ),
    Case(
        "data.shipped",
        together(folder=one("emoji")),
        lambda result, folder: isinstance(result, list) or 1 / 0,
        {"folder": lambda good: mix([], [ANY_TEXT])},
    ),
]

CHECKPOINTS = [
    Case(
        "checkpoints.load_checkpoint",
        together(name_or_path=one(NETWORK), device=one("cpu")),
        right_network,
        {"name_or_path": networks, "device": device},
    ),
    Case(
        "checkpoints.load_tensors",
        together(path=one(NETWORK)),
        lambda result, path: len(result) == 2 or 1 / 0,
        {"path": networks},
    ),
    Case(
        "checkpoints.quantize_int8",
        together(tensors=one({"a": torch.ones(2, 3), "b": torch.ones(2)})),
        right_weights,
        {"tensors": weights},
    ),
    Case(
        "checkpoints.dequantize",
        together(tensors=one(quantize_int8({"a": torch.ones(2, 3)}))),
        right_weights,
        {
            "tensors": lambda good: mix(
                [junk(but="dict"), one({"a.scale_of_rows": torch.ones(2)}, {"a": 1}, {5: None})],
                [one({}, {"a": torch.ones(2)})],
            )
        },
    ),
    Case(
        "checkpoints.save_tensors",
        together(
            path=one(ROOM / "saved.safetensors"), tensors=one({"a": torch.ones(2)}), notes=one({})
        ),
        kept,
        {
            "path": lambda good: mix([junk(but="text"), one(ROOM, "\x00", ROOM / ("a" * 999))]),
            "tensors": lambda good: mix([junk(but="dict"), one({"a": 1}, {5: torch.ones(1)})]),
            "notes": lambda good: mix([one({"a": object()}, {"a": torch.ones(1)}, {"a": {1}})]),
        },
    ),
    Case(
        "checkpoints.save_checkpoint",
        together(model=one(NET), path=one(ROOM / "saved.safetensors")),
        kept,
        {
            "model": thing(),
            "path": lambda good: mix([junk(but="text"), one(ROOM, "\x00", ROOM / ("a" * 999))]),
        },
    ),
]

TRAINING = [
    Case(
        "training.train",
        together(model=one(None), pictures=of_shape(4, 3, 8, 8), steps=one(1, 2)),
        kept,
        {
            "pictures": data_sets,
            "steps": budgets,
            "texts": thing(but="none"),
            "schedule": thing(but="none"),
            "seed": seed,
            "learning_rate": number(0),
            "batch": count(),
            "checkpoint": lambda good: mix([junk(but="none text"), one("\x00")], [one(None)]),
            "report": thing(but="thing"),
            "reports": count(),
            "loss_fn": thing(but="thing"),
            "clock": thing(but="thing"),
        },
        trained,
    ),
    Case(
        "training.train",
        together(model=one(None), pictures=of_shape(4, 3, 8, 8), seconds=one(0.01)),
        kept,
        {
            "seconds": lambda good: mix(
                [junk(but="whole number"), one(0, -1, math.inf)], [one(1e-3)]
            )
        },
        trained,
    ),
    Case(
        "training.train",
        together(model=one(NET), pictures=of_shape(4, 3, 8, 8), steps=one(1)),
        None,
        {"model": lambda good: mix([junk(but="none")])},
        trained,
    ),
    Case(
        "denoiser.target",
        together(
            predicts=one("noise", "clean", "velocity"),
            x_0=X,
            eps=X,
            t=whole_numbers(9, "B"),
            schedule=one(COSINE),
        ),
        lambda result, x_0, **_: result.shape == x_0.shape or 1 / 0,
        {
            "predicts": predicted,
            "x_0": floats,
            "eps": floats,
            "t": level(1000, clean=True),
            "schedule": thing(),
        },
    ),
    Case(
        "optim.make_optimizers",
        together(model=one(NET), learning_rate=one(1e-3)),
        kept,
        {"model": thing(), "learning_rate": number(0)},
    ),
    Case(
        "optim.orthogonalise",
        together(matrix=of_shape(3, 4), steps=one(5)),
        kept,
        {"matrix": features, "steps": count(0)},
    ),
]

REST = [
    Case("authoring.notes.stage_notes", together(lesson=one("01")), kept, {"lesson": lessons}),
    Case("authoring.notes.running_order", together(lesson=one("01")), kept, {"lesson": lessons}),
    Case(
        "exercises.broken_models.broken_model",
        together(lesson=one("03", "04"), device=one("cpu")),
        kept,
        {
            "lesson": lambda good: mix([junk(), one("3", "../03", "01", "03 ", "<b>", "٠٣")]),
            "device": device,
        },
    ),
    Case(
        "device.as_device",
        together(device=one("cpu")),
        lambda r, **_: r.type or 1 / 0,
        {"device": device},
    ),
    Case(
        "authoring.editions.write",
        together(edition=one("handout"), folder=one(ROOM / "edition")),
        lambda result, **_: len(result) >= 8 or 1 / 0,
        {
            "edition": lambda good: mix([junk(), one("Handout", "student", "../handout")]),
            "folder": lambda good: mix([junk(but="text"), one(NOTEBOOK.parent, "\x00")]),
            "notebooks": lambda good: mix([junk(but="text"), names(), one(ROOM, NOTEBOOK)]),
        },
    ),
]

CASES = DATA_SETS + CHECKPOINTS + TRAINING + REST
