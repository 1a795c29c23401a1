"""Live controls: move a slider, and Python computes the new picture while you watch.

For what can be computed beforehand there is the scrubber. What depends on your hand (a drawing, a
seed, a number of steps) is computed here, by a function that a lesson defines. However fast the
hand moves, one request is computed and one waits; all others are dropped but the newest.
"""

import asyncio
import inspect
import json
import math
import threading
from dataclasses import dataclass
from uuid import uuid4

import anywidget
import numpy as np
import torch
from einops import rearrange
from IPython.display import HTML, display
from traitlets import Dict

from ..checks import brief, check_count, check_images, check_kind, check_number, utf8_safe
from ..languages import marked, spoken, tr
from ..languages.javascript import with_texts
from ..living.mirrors import living_part, pack_bytes
from ..words import PromptWarning, gather_warnings
from .figures import check_alt, escape, to_uint8
from .gallery import keep
from .html import AGAIN, ALIVE_OR_STILL, CSS, KEEP, KEYS, STATIC, as_frames, stage, static_image

LARGEST_SEED = 2**53 - 1  # the last whole number that a browser counts exactly
LONGEST = 300  # letters of a sentence about trouble
OFFERED = 3  # buttons for unknown words of a prompt
ASLEEP = marked(
    "A still picture. When this cell runs in a notebook, its controls come alive above."
)


@dataclass(frozen=True)
class Slider:
    """A number from `first` to `last` in steps of `step`; whole numbers stay whole."""

    first: float
    last: float
    start: float
    step: float = 1

    def __post_init__(self):
        for name in ("first", "last", "start", "step"):
            check_number(getattr(self, name), name)
        if not self.first <= self.start <= self.last or self.step <= 0:
            raise ValueError(
                tr(
                    "expected first <= start <= last and a step above 0, got {}, {}, {} and step "
                    "{}",
                    *(self.first, self.start, self.last, self.step),
                )
            )

    def spec(self):
        return {name: self._plain(number) for name, number in vars(self).items()} | {
            "kind": "slider"
        }

    def read(self, value, _):
        if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
            numbers = self.first, self.last
            raise ValueError(tr("expected a number from {} to {}, got {}", *numbers, brief(value)))
        return self._plain(min(max(value, self.first), self.last))

    def _plain(self, number):
        """An int where the slider stands on whole numbers only, else a float."""
        whole = all(float(part).is_integer() for part in (self.first, self.step))
        return round(number) if whole else float(number)


@dataclass(frozen=True)
class Choice:
    """One of `options`, words or a dict from a word to the value that it stands for."""

    options: list | dict
    start: str | None = None  # the first one when left out

    def __post_init__(self):
        check_kind(self.options, (list, tuple, dict), tr("options as a list or a dict"))
        if not self.options or self.start not in (None, *self.options):
            raise ValueError(_no_start(self))

    def spec(self):
        words = list(self.options)
        start = 0 if self.start is None else words.index(self.start)
        return {"kind": "choice", "options": [utf8_safe(word) for word in words], "start": start}

    def read(self, value, _):
        words = list(self.options)
        if type(value) is not int or not 0 <= value < len(words):
            raise ValueError(
                tr("expected the number of one of {}, got {}", brief(words), brief(value))
            )
        return self.options[words[value]] if isinstance(self.options, dict) else words[value]


@dataclass(frozen=True)
class Switches:
    """Any of `options`, each on or off; the function gets the words that are on, as a tuple."""

    options: tuple
    start: tuple = ()

    def __post_init__(self):
        for words in (self.options, self.start):
            check_kind(words, (list, tuple, dict), tr("options and start as lists of words"))
        if not self.options or not all(word in self.options for word in self.start):
            raise ValueError(_no_start(self))

    def spec(self):
        start = [word in self.start for word in self.options]
        return {"kind": "switches", "options": [utf8_safe(w) for w in self.options], "start": start}

    def read(self, value, _):
        fits = isinstance(value, list) and len(value) == len(self.options)
        if not fits or not all(isinstance(on, bool) for on in value):
            raise ValueError(tr("expected {} switches, got {}", len(self.options), brief(value)))
        return tuple(word for word, on in zip(self.options, value) if on)


@dataclass(frozen=True)
class Seed:
    """A whole number from 0 up that decides all dice, and a button that rolls a new one."""

    start: int = 0
    last: int = 2**31 - 1

    def __post_init__(self):
        check_count(self.start, "start", 0, check_count(self.last, "last", 0, LARGEST_SEED))

    def spec(self):
        return {"start": int(self.start), "last": int(self.last), "kind": "seed"}

    def read(self, value, _):
        return check_count(value, "seed", 0, self.last)


class Seeds(Seed):
    """A seed for one picture, or, when "four at once" is on, four in a row: [7] or [7, 8, 9, 10].

    The function gets a list, which `pure_noise` takes as its `seed`.
    """

    def spec(self):
        return super().spec() | {"start": [int(self.start), False], "kind": "seeds"}

    def read(self, value, _):
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], bool):
            raise ValueError(tr("expected a seed and a switch, got {}", brief(value)))
        first, four = super().read(value[0], _), value[1]
        return [first + i for i in range(4 if four else 1)]


@dataclass(frozen=True)
class Prompt:
    """A line of text, such as a spell: what the box shows first, and how many letters it takes."""

    start: str
    longest: int = 200

    def __post_init__(self):
        check_count(self.longest, "longest")
        if not isinstance(self.start, str) or len(self.start) > self.longest:
            raise ValueError(self._too_long(brief(self.start)))

    def spec(self):
        return {"start": utf8_safe(self.start), "longest": int(self.longest), "kind": "prompt"}

    def read(self, value, _):
        if not isinstance(value, str) or len(value) > self.longest:
            raise ValueError(self._too_long(f"{value!r:.60}"))
        return value

    def _too_long(self, got):
        return tr("expected text of at most {} letters, got {}", self.longest, got)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A board to draw on, with room for an uploaded picture.

    `start` is the first picture, (3, S, S) in [-1, 1]; the function gets a tensor like it.
    """

    start: torch.Tensor

    def __post_init__(self):
        shape = self.start.shape if torch.is_tensor(self.start) else ()
        if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
            raise ValueError(tr("expected a square picture (3, S, S), got {}", brief(self.start)))
        check_images(self.start[None])

    def spec(self):
        size = self.start.shape[1]
        return {"kind": "drawing", "size": size, "start": _rgba(to_uint8(self.start[None])[0])}

    def read(self, _, pixels):
        size = self.start.shape[1]
        fits = isinstance(pixels, (bytes, bytearray, memoryview))
        if not fits or len(bytes(pixels)) != 4 * size * size:
            raise ValueError(tr("expected a drawing of {} x {} pixels", size, size))
        rgba = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(size, size, 4)
        return rearrange(rgba[..., :3].float() / 127.5 - 1, "h w c -> c h w")  # (3, S, S)


SCRIPT = KEYS + KEEP + (STATIC / "live.js").read_text("utf-8")
CONTROLS = (Slider, Choice, Switches, Seed, Seeds, Prompt, Drawing)


class Live(anywidget.AnyWidget):
    """What `live` returns. Shown by a notebook it is alive; saved or exported, a still picture."""

    _esm = property(lambda _: with_texts(SCRIPT))  # in the language that is spoken then
    _css = STATIC / "control.css"
    spec = Dict().tag(sync=True)  # what the page needs once
    frame = Dict().tag(sync=True)  # what it shows now

    def __init__(self, draw, parts, alt, height):
        self._draw, self._parts = draw, parts
        self._lock = threading.Lock()  # JupyterLab's requests may come in more than one thread
        self._wanted = self._worker = None
        self._working, self._newest = False, {}
        specs = {name: part.spec() for name, part in parts.items()}
        starts = {name: parts[name].read(s["start"], s["start"]) for name, s in specs.items()}
        self._story, self._made = list(self._frames(starts)), self._told(starts)
        if not self._story:
            raise ValueError(tr("the drawing function gave no picture at the start values"))
        labels = [{"name": name, "label": _label(name)} | spec for name, spec in specs.items()]
        spec = {"alt": utf8_safe(alt), "again": tr(AGAIN), "height": height, "parts": labels}
        spec["lang"] = spoken().code
        spec["steps"] = inspect.isgeneratorfunction(draw)  # then there is an animation to save
        super().__init__(
            spec=spec | {"name": uuid4().hex},  # on the page, this control and its still share it
            frame=self._story[-1] | {"view": "", "id": 0, "done": True},
        )
        self.on_msg(self._hear)

    def _ipython_display_(self):
        # Two outputs: a widget, and a static fallback for saved pages.
        # The empty HTML stands for the widget where it cannot live.
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        widget = {"application/vnd.jupyter.widget-view+json": view, "text/html": ""}
        display(widget | {"text/plain": tr("Live control: {}", self.spec["alt"])}, raw=True)
        display(HTML(self.static_image()))

    def static_image(self):
        """The picture shown now as a fragment of HTML, with its words and how to wake it."""
        alt, caption = escape(self.spec["alt"]), self.frame["caption"]
        height, columns = self.spec["height"], self.frame["columns"]
        images = [
            static_image(column["name"], _array(column, pixels), caption, height)
            for column, pixels in zip(columns, self.frame["pixels"])
        ]
        living, asleep = self._living_part()
        words = f'<p class="caption">{escape(caption)}</p><p class="asleep">{escape(asleep)}</p>'
        name = self.spec["name"]
        return (
            f'<div class="sculptor still" lang="{self.spec["lang"]}" data-still-of="{name}" '
            f'role="group" aria-label="{alt}">'
            f"<style>{CSS}{ALIVE_OR_STILL.replace('NAME', name)}</style>"
            f"{stage(images, [column['size'] for column in columns], height, words)}{living}</div>"
        )

    def _living_part(self):
        """What a page without Python draws with, as HTML, and the words below the still."""
        try:
            part = living_part(self._draw)
        except ValueError as reason:
            why = tr("Without Python it stays still: {}.", tr(str(reason)))
            return "", f"{tr(ASLEEP)} {why}"
        part |= {"spec": self.spec, "frame": self.frame}
        text = json.dumps(part, default=pack_bytes).replace("<", r"\u003c")
        return f'<script type="application/json" class="living">{text}</script>', tr(ASLEEP)

    def _hear(self, _, request, buffers):
        """Take a request from the page; what was asked before and has not begun is forgotten."""
        request = request if isinstance(request, dict) else {}
        if request.get("keep") is True:
            self._keep(request.get("view"))
            return
        with self._lock:
            if self._overtaken(request):
                return
            self._wanted = request, buffers
            if self._working:
                return
            self._working = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel around us: a plain script
            asyncio.run(self._work())
        else:
            self._worker = loop.create_task(self._work())

    def _overtaken(self, request):
        """Whether a newer request of the same view is known, because it came in a faster thread."""
        view, number = request.get("view"), request.get("id")
        if not isinstance(view, str) or not isinstance(number, int):
            return False
        known = self._newest.get(view, number)
        self._newest[view] = max(known, number)
        return number < known

    def _take(self):
        """The newest request, or None; then whoever hears the next one starts to work."""
        with self._lock:
            wanted, self._wanted = self._wanted, None
            self._working = wanted is not None
            return wanted

    async def _work(self):
        """Compute the newest request until none is left; at each picture, let newer ones in."""
        try:
            while (wanted := self._take()) is not None:
                await self._answer(*wanted)
        except BaseException:  # the kernel was interrupted or is leaving
            self._working = False
            raise

    async def _answer(self, request, buffers):
        answer = {"view": request.get("view"), "id": request.get("id"), "trouble": ""}
        try:
            values, story = self._read(request.get("values"), buffers), []
            made = self._told(values)
            for frame in self._frames(values):
                story.append(frame)
                self._story, self._made = story, made
                self.frame = frame | answer | {"done": frame["share"] == 1}
                await asyncio.sleep(0.001)  # the kernel reads what has arrived
                if self._wanted is not None:
                    break
        except Exception as error:  # whatever a callback raises, the page says it
            answer["trouble"] = _sentence(error)
        if answer["trouble"] or not self.frame["done"]:
            self.frame = self.frame | answer | {"share": 1, "done": True}
            await asyncio.sleep(0.001)

    def _keep(self, view):
        """Write what is shown, and how it came to be, into the gallery; tell the page where."""
        columns, caption = self._story[-1]["columns"], self._story[-1]["caption"]
        story = [
            {column["name"]: _array(column, pixels) for column, pixels in zip(columns, f["pixels"])}
            for f in self._story
            if f["columns"] == columns
        ]
        prompts = [self._made[name] for name, p in self._parts.items() if isinstance(p, Prompt)]
        title = next(filter(str.strip, prompts), caption)
        settings = {_label(name): value for name, value in self._made.items()}
        try:
            said = tr("Kept: {}", keep(story[-1], title, story, settings).as_posix())
        except Exception as error:  # whatever the disk says, the page says it
            said = _sentence(error)
        self.send({"view": view, "kept": said})

    def _told(self, values):
        """The values of the controls in words; what was drawn has none."""
        told = {}
        for name, part in self._parts.items():
            value = values[name]
            if isinstance(part, Drawing):
                continue
            if isinstance(part, Choice) and isinstance(part.options, dict):
                value = next(word for word, stands in part.options.items() if stands is value)
            if isinstance(value, (list, tuple)):
                value = ", ".join(map(str, value))
            told[name] = str(value)
        return told

    def _read(self, values, buffers):
        """Turn what the page sent into arguments of the drawing function."""
        if not isinstance(values, list) or len(values) != len(self._parts):
            raise ValueError(tr("expected {} values, got {}", len(self._parts), brief(values)))
        pixels = iter(buffers or [])
        return {
            name: part.read(value, next(pixels, None) if isinstance(part, Drawing) else None)
            for (name, part), value in zip(self._parts.items(), values)
        }

    def _frames(self, values):
        """A frame for the page for each picture that the drawing function gives.

        What it does not hear in a prompt is said in the caption; the page offers known words.
        """
        steps = self._steps(values)
        unheard: dict[str, PromptWarning] = {}  # keeps the order, and each sentence once
        while True:
            with gather_warnings() as said:
                step = next(steps, None)
            unheard |= {str(warning): warning for warning in said}
            if step is None:
                return
            pictures, caption, *share = _checked(step)
            arrays = {name: as_frames(p[None], name)[0] for name, p in pictures.items()}
            yield {
                "columns": [
                    {"name": utf8_safe(name), "size": [array.shape[1], array.shape[0]]}
                    for name, array in arrays.items()
                ],
                "pixels": [_rgba(array) for array in arrays.values()],
                "caption": utf8_safe(". ".join([str(caption), *unheard])),
                "offers": _offers(unheard.values()),
                "share": float(share[0]) if share else 1,
                "trouble": "",
            }

    def _steps(self, values):
        drawn = self._draw(**values)
        if inspect.isgenerator(drawn):
            yield from drawn
        else:
            yield drawn


def live(draw, *, alt, height=256, **parts):
    """Show controls beside the pictures that `draw` makes of their values.

    `parts` maps each parameter of `draw` to a Slider, Choice, Switches, Seed, Seeds, Prompt or
    Drawing; the parameter's name, with spaces for underscores, is its label. `draw` returns
    `(pictures, caption)`: a dict from a column's name to (C, H, W) or (N, C, H, W) in [-1, 1],
    and a line of words. A slow one yields `(pictures, caption, share)` after each step, share
    rising to 1, and is left when a newer request arrives. `alt` says in one sentence what the
    whole shows; `height` is that of a column in CSS pixels. Raises ValueError when alt is empty
    or the controls do not fit `draw`; what `draw` raises at the start values is raised here,
    what it raises later is shown as one sentence in the control.
    """
    check_alt(alt)
    check_count(height, "height")
    for name, part in parts.items():
        check_kind(part, CONTROLS, tr("a control such as Slider(0, 9, start=3) for {}", name))
    try:
        parameters = inspect.signature(draw)
        parameters.bind(**parts)
    except (TypeError, ValueError) as problem:
        raise ValueError(
            tr(
                "expected one control for each parameter of {}, got {}: {}",
                *(brief(draw), brief(list(parts)), brief(str(problem))),
            )
        ) from None
    return Live(draw, parts, alt, height)


def _no_start(part):
    return tr("expected start among {}, got {}", brief(list(part.options)), brief(part.start))


def _label(name):
    """The name of a parameter as the page shows it."""
    return tr(name.replace("_", " "))


def _checked(step):
    """What a drawing function gave, or one sentence unless it is (pictures, caption[, share])."""
    fits = isinstance(step, (tuple, list)) and len(step) in (2, 3)
    if not fits or not isinstance(step[0], dict) or not step[0]:
        raise ValueError(
            tr(
                "expected the drawing function to give (pictures, caption) or (pictures, caption, "
                "share) with a dict of pictures, got {}",
                brief(step),
            )
        )
    if len(step) == 3:
        check_number(step[2], "share", 0, 1)
    return step


def _offers(unheard):
    """For the first unknown words of a prompt, the known word that is likeliest meant."""
    pairs = [[said.word, said.similar[0]] for said in unheard if said.similar]
    return pairs[:OFFERED]


def _sentence(error):
    """One line for the page: our own errors are sentences already, others get their kind."""
    words = utf8_safe(" ".join(str(error).split())[:LONGEST]) or tr("no reason given")
    return words if isinstance(error, ValueError) else f"{type(error).__name__}: {words}"


def _rgba(array):
    """(H, W, 3) uint8 -> bytes of (H, W, 4), as a browser's canvas wants them."""
    return np.pad(array, ((0, 0), (0, 0), (0, 1)), constant_values=255).tobytes()


def _array(column, pixels):
    """The inverse of `_rgba`: bytes -> (H, W, 3) uint8."""
    width, height = column["size"]
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[..., :3]
