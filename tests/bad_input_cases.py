"""Good arguments, one of them spoiled: what the tests of bad input share.

A `Case` is one public function with a strategy for arguments that fit together, and for each of
them the ways to spoil it. `try_good` and `try_spoiled` call it and look at what comes out: the
right answer, or one sentence from this package. What torch, numpy or Python says is too deep.
"""

import dis
import importlib
import math
import tempfile
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import diffusion_helpers
from diffusion_helpers.words import PromptWarning

PACKAGE = str(Path(diffusion_helpers.__file__).parent)
CALM = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
QUICK, MANY = settings(CALM, max_examples=12), settings(CALM, max_examples=500)
ROOM = Path(tempfile.mkdtemp(prefix="bad-input-"))  # for files, as hypothesis wants no fixtures
LONGEST = 500  # letters of a sentence that somebody will read


class Spoiled(NamedTuple):
    value: Any
    refuse: bool  # True: no answer can be right; False: the right answer, or a sentence


@dataclass
class Case:
    """One public function, by its name below diffusion_helpers: "noising.add_noise".

    good   a strategy for a dict of arguments; spoil argument -> (its good value -> strategy of
           `Spoiled`); right(result, **arguments) asserts that an answer is right
    """

    name: str
    good: st.SearchStrategy
    right: Callable | None  # None where nothing that can be given is right
    spoil: dict = field(default_factory=dict)
    call: Callable | None = None

    def __post_init__(self):
        self.call = self.call or find(self.name)


def find(name):
    """The function, class or method of this name, and a module by itself."""
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["diffusion_helpers", *parts[:i]]))
        except ModuleNotFoundError:
            continue
        for part in parts[i:]:
            found = getattr(found, part)
        return found
    raise LookupError(name)


def arguments_of(cases):
    """(case, argument) for each way to spoil one, to parametrise a test with."""
    return {
        f"{case.name}({argument})": (case, argument) for case in cases for argument in case.spoil
    }


def try_good(case, data):
    arguments = data.draw(case.good)
    result = attempt(case.call, arguments)
    if isinstance(result, Exception):
        raise result
    case.right(result, **arguments)


def try_spoiled(case, argument, data):
    arguments = data.draw(case.good)
    value, refuse = data.draw(case.spoil[argument](arguments.get(argument)))
    arguments |= {argument: value}
    result = attempt(case.call, arguments)
    if isinstance(result, Exception):
        check_sentence(result)
    else:
        assert not refuse, f"{case.name} took {argument} = {value!r:.200} and gave {result!r:.200}"
        case.right(result, **arguments)


def attempt(call, arguments):
    """What comes out of a call: its result (of a generator, a list), or the exception.

    A warning is an exception, too, unless it is one of ours: torch warns where it throws away half
    of a complex number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PromptWarning)
        torch.set_warn_always(True)  # not only the first time
        try:
            result = call(**arguments)
            return list(result) if isinstance(result, types.GeneratorType) else result
        except Exception as error:
            return error
        finally:
            torch.set_warn_always(False)


def check_sentence(error):
    """Assert that an exception is one sentence which a `raise` in this package says."""
    words = str(error)
    told = f"{type(error).__name__}: {words}"
    tb = error.__traceback__
    while tb.tb_next is not None:
        tb = tb.tb_next
    code = tb.tb_frame.f_code
    raised = dis.opname[code.co_code[tb.tb_lasti]] == "RAISE_VARARGS"
    assert code.co_filename.startswith(PACKAGE) and raised, f"too deep, from {code}: {told}"
    kinds = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
    assert isinstance(error, kinds), told
    assert "\n" not in words and len(words) <= LONGEST and len(words.split()) >= 4, told
    assert error.__context__ is None or error.__suppress_context__, f"two tracebacks: {told}"


# ---- good arguments -----------------------------------------------------------------------------


def together(**parts):
    """Arguments that fit together: each is a strategy, or a function from a batch size to one."""

    @st.composite
    def draw_all(draw):
        b = draw(st.integers(1, 3))
        named = {k: p if isinstance(p, st.SearchStrategy) else p(b) for k, p in parts.items()}
        return {name: draw(part) for name, part in named.items()}

    return draw_all()


def of_shape(*shape, to=torch.float32):
    """Tensors of numbers in [-1, 1]; "B" in a shape is the batch size."""
    return lambda b: st.integers(0, 99).map(
        lambda seed: (
            2 * torch.rand([b if n == "B" else n for n in shape], generator=seeded_generator(seed))
            - 1
        ).to(to)
    )


def whole_numbers(high, *shape, low=0):
    """Integer tensors in low..high - 1."""
    return lambda b: st.integers(0, 99).map(
        lambda seed: torch.randint(
            low, high, [b if n == "B" else n for n in shape], generator=seeded_generator(seed)
        )
    )


def seeded_generator(seed):
    return torch.Generator().manual_seed(seed)


# ---- ways to spoil them -------------------------------------------------------------------------

JUNK = {
    "none": [None],
    "flag": [True, False],
    "whole": [0, -1, 7, 10**30, np.int64(3)],
    "number": [0.5, -2.5, 1e300, Fraction(1, 3)],
    "unreal": [math.nan, math.inf, -math.inf, 1j],
    "text": ["", "a word", "7", "\ud800\n", "word " * 5000],
    "bytes": [b"", b"\xff"],
    "list": [[], [1], (None,), ["a", None]],
    "dict": [{}, {"a": 1}],
    "array": [np.zeros(3), np.array(["a"])],
    "tensor": [torch.zeros(3), torch.tensor(3), torch.zeros(2, 3, 8, 8), torch.zeros(0)],
    "thing": [object(), len, Exception, torch.nn.Identity()],
}


def junk(but=""):
    """Things of all kinds but those named (in one str of words)."""
    return st.sampled_from([v for kind, vs in JUNK.items() if kind not in but.split() for v in vs])


def mix(refused, tried=()):
    """Two lists of strategies as one: what has to be refused, and what may be answered."""
    both = [s.map(lambda v: Spoiled(v, True)) for s in refused]
    return st.one_of(both + [s.map(lambda v: Spoiled(v, False)) for s in tried])


def one(*values):
    return st.sampled_from(values)


def thing(but=""):
    """For an argument that must be one of our own objects."""
    return lambda good: mix([junk(but)])


def with_holes(good):
    """A tensor of floats with one number that is none."""
    return st.builds(
        lambda place, value: good.flatten().scatter(0, torch.tensor(place), value).view_as(good),
        st.integers(0, good.numel() - 1),
        one(math.nan, math.inf, -math.inf),
    )


def wrong_floats(good, inside=False):
    """What is no batch of floats like `good`, to be refused.

    Inside a network empty batches may pass, and so does the device meta where torch lets it.
    """
    return [
        junk(but="tensor"),
        one(good.int(), good.byte(), good.bool(), good.to(torch.complex64), good.numpy()),
        one(good[0], good[None], good.tolist()),
        st.nothing() if inside else one(good[:0], good[:, :0], good[..., :0], good.to("meta")),
    ]


def odd_floats(good):
    """Unusual floats: another precision, batch, shape, order in memory, or scale."""
    return [
        one(good.double(), good.half(), good.bfloat16(), good.clone().requires_grad_()),
        one(good[:1], good[:1].expand(300, *good.shape[1:]), torch.cat([good, good])),
        one(good[..., :-1], torch.cat([good, good], dim=1), good.transpose(0, 1)),
        one(good * 1e30, good * 0, good.flip(-1), good[..., None].transpose(-1, -2)[..., 0, :]),
    ]


def floats(good):
    """Spoiled pictures (B, C, H, W), or anything else that is a batch of floats."""
    return mix([*wrong_floats(good), with_holes(good)], odd_floats(good))


def level(total, clean=False):
    """Spoiled t for schedules of `total` steps, None for any number of them; with clean=True, -1
    means the clean picture.
    """

    def spoil(good):
        b = len(good) if torch.is_tensor(good) and good.ndim else 3
        low = -2 if clean else -1
        wrong = [total, low, -(10**6), 10**6] if total else [10**30]
        rows = torch.zeros(b, dtype=torch.long)
        return mix(
            [
                junk(but="whole list tensor"),
                one(*wrong, 10**30, -(10**30)),
                one(*(torch.tensor([w] + [0] * (b - 1)) for w in wrong)) if total else st.nothing(),
                one(rows.float(), rows.bool(), rows.to(torch.complex64), rows + 0.5, rows / 0),
                one(rows.to("meta"), rows[None].expand(b, b), rows[:0]),
                one(torch.zeros(b + 1, dtype=torch.long)) if b > 0 else st.nothing(),
            ],
            [
                one(np.int64(3), torch.tensor(3), [2] * b, np.full(b, 2), (2,)),
                one(*((rows + 2).to(kind) for kind in (torch.uint8, torch.int8, torch.int32))),
            ],
        )

    return spoil


def count(least=1, most=None, none=False):
    """Spoiled whole numbers from `least` to `most`; none=True where None is one, too."""

    def spoil(good):
        wrong = [least - 1, -5, -(10**30)] + ([most + 1, 10**30] if most else [])
        return mix(
            [junk(but="whole tensor none" if none else "whole tensor"), one(*wrong, [1])],
            [one(np.int64(least), np.int32(least + 1), torch.tensor(least), float(least))],
        )

    return spoil


def seed(good):
    return mix(
        [junk(but="whole tensor")],
        [one(-1, -(2**63), 2**31, 2**63, 2**64, 10**30, -(10**30), np.int64(-3), torch.tensor(3))],
    )


def device(good):
    """Spoiled devices; there may or may not be a graphics card where this runs."""
    return mix(
        [junk(but="none whole text"), one("cuda:99", "gpu", "", 99, -1, "cpu\n", "the CPU")],
        [one(None, "cpu", torch.device("cpu"), "cpu:0")],
    )


def number(least=-math.inf, most=math.inf, none=False):
    """Spoiled real numbers; none=True where None is one, too."""

    def spoil(good):
        wrong = [w for w in (least - 1, most + 1) if math.isfinite(w)]
        return mix(
            [junk("whole number flag tensor" + " none" * none), one(math.nan, *wrong)],
            [
                one(0, 1, -1, 1e-300, 1e30, 1e300, -1e300, 10**30, 10**400, Fraction(1, 3)),
                one(np.float32(0.5), torch.tensor(0.5), True),
            ],
        )

    return spoil


EVIL = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    '"><svg onload="window.pwned = 1">',
    "</script><script>window.pwned = 1</script>",
    "' onmouseover='window.pwned = 1' a='",
    "`<b>`${window.pwned = 1}\\u003cb>",
    "&lt;script&gt;&#60;img src=x onerror=alert(1)&#62;",
    "--><!--<![CDATA[",
    "{{ 7 * 7 }} {% raw %} DATA NAME %s {0}",
]
STRANGE = [
    "\ud83c",  # half of an emoji: a text field that cuts at its last letter leaves it
    "a red\udc80 apple\ud800",
    "\x00a\x1b[31m\x7f\u2028b\r\n",
    "e\u0301\u0327" + "\u0300" * 500,  # a letter under a tower of accents
    "\u202eelppa der \u200f\u2066 תפוח אדום",  # from right to left
    "👩‍👩‍👧‍👦🏴\U000e0067\U000e0062🇩🇪\U0010ffff\ufffe",
    "ﷺ" * 300,  # one letter that grows to 18
    "ß" * 300 + "İİ" + "ǅ",
    "apple " * 20_000,
    "x" * 100_000,
    "'" * 5000,
    "яблоко" * 10_000,
    " \t\n\u3000 ",
    "",
]
ANY_TEXT = st.one_of(st.text(max_size=30), st.text("<>&\"'`/=a\ud800\x00", max_size=30))
ANY_TEXT |= one(*EVIL) | one(*STRANGE)


def text(good, but=""):
    """Spoiled text: no text at all, or any letters in any number."""
    return mix([junk(but=f"text {but}")], [ANY_TEXT])


# ---- right answers ------------------------------------------------------------------------------

CLOSE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def finite(result, **_):
    """Assert that every number of a tensor, a list of them or a record is one."""
    for part in result if isinstance(result, (list, tuple)) else [result]:
        if torch.is_tensor(part):
            assert torch.isfinite(part).all(), part
        elif isinstance(part, (list, tuple)):
            finite(part)
        else:
            assert not isinstance(part, float) or math.isfinite(part), part


def shaped_like(name):
    """Assert numbers in the shape and the format of the argument `name`."""

    def right(result, **arguments):
        finite(result)
        assert result.shape == arguments[name].shape and result.dtype == arguments[name].dtype

    return right


def close(got, want, like):
    """Assert that two tensors agree as far as the number format of `like` lets them."""
    assert got.shape == want.shape and got.dtype == like.dtype, (got.shape, want.shape, got.dtype)
    finite(got)
    size = max(1.0, want.abs().max().item())
    assert (got.double() - want.double()).abs().max().item() <= CLOSE[like.dtype] * size
