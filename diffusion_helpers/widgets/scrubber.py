"""A slider over frames that were computed before: the picture answers while the hand still moves.

One HTML fragment holds everything: a sprite (all frames in one PNG) for each column, a native
slider, and a few lines of script. It needs no kernel, no network and no library, so it also lives
on in an exported page. Without its script the reader still sees the start frame and its caption.
"""

import hashlib
import json
import math
from types import NoneType

import numpy as np
import torch
from einops import rearrange

from ..checks import brief, check_count, check_floats, check_kind, check_t, utf8_safe
from ..languages import marked, spoken, tr
from ..languages.javascript import in_scope
from ..sampling import Step, with_end
from .figures import check_captions, escape, png_data_uri
from .html import AGAIN, CSS, KEEP, KEYS, STATIC, HtmlOutput, as_frames, stage, static_image

SCRIPT = KEYS + (STATIC / "scrubber.js").read_text("utf-8")
STEP = marked("step")
LARGEST_SPRITE = 8192  # pixels a side; larger pictures fail on phones and old graphics cards


def scrubber(
    tracks,
    captions,
    *,
    label=STEP,  # the word before the slider
    choice_label=None,  # with a word here ("schedule"), tracks and captions are dicts of choices
    start=None,  # the frame shown first; the last one, because it shows what came out
    height=256,  # CSS pixels of a column, rounded to whole multiples of its picture
    alt=None,  # one sentence about the whole; made of the column names when left out
):
    """Draw `tracks` side by side above one slider; each frame has a caption.

    `tracks` maps a column's name to its frames, (F, C, H, W) in [-1, 1], or (F, N, C, H, W) for N
    pictures drawn as a small grid. `captions` are F strings. With `choice_label`, both are dicts
    from a choice ("cosine") to tracks or captions of the same shapes, and radio buttons switch
    between them while the frame stays. Raises ValueError on wrong shapes, NaN, or counts that
    disagree.
    """
    check_kind(label, str, tr("label as a word"))
    for said in (choice_label, alt):
        check_kind(said, (str, NoneType), tr("choice_label and alt as words"))
    if choice_label is None:
        tracks, captions = {"": tracks}, {"": captions}
    if not isinstance(tracks, dict) or not all(isinstance(t, dict) for t in tracks.values()):
        raise ValueError(
            tr(
                "expected tracks as a dict from a column's name to its frames (with choice_label, "
                "a dict of those), got {}",
                brief(tracks),
            )
        )
    if not tracks or not isinstance(captions, dict) or list(captions) != list(tracks):
        raise ValueError(
            tr(
                "expected captions for the choices {}, got {}",
                brief(list(tracks)),
                brief(captions),
            )
        )
    pictures = {  # choice -> column -> (F, H, W, 3) uint8
        choice: {name: as_frames(track, name) for name, track in columns.items()}
        for choice, columns in tracks.items()
    }
    frames = _count_frames(pictures)
    start = frames - 1 if start is None else check_count(start, "start", 0, frames - 1)
    captions = {
        choice: check_captions(lines, frames, tr("a frame{}", _of(choice)))
        for choice, lines in captions.items()
    }
    first = next(iter(pictures))  # the first choice is the one shown first
    data = {  # what the script works on
        "frames": frames,
        "start": start,
        "across": _across(frames),
        "names": [utf8_safe(name) for name in pictures[first]],
        "sizes": [(track.shape[2], track.shape[1]) for track in pictures[first].values()],
        "choices": [
            {"captions": captions[choice], "sprites": [_sprite(t) for t in columns.values()]}
            for choice, columns in pictures.items()
        ],
    }
    data["id"] = hashlib.sha1(json.dumps(data).encode()).hexdigest()[:12]
    stills = [
        static_image(name, track[start], captions[first][start], height)
        for name, track in pictures[first].items()
    ]
    alt = alt or tr("{}: a slider over {} frames", ", ".join(data["names"]), frames)
    choices = "" if choice_label is None else _choices(data["id"], choice_label, pictures)
    page = _page(data, stage(stills, data["sizes"], height, _panel(data, choices, label)), alt)
    return HtmlOutput(page, tr("Scrubber: {}", alt))


PARTS = ("x_t", marked("predicted clean picture"), marked("predicted noise"))


def scrub_steps(steps, schedule=None, names=PARTS, **kw):
    """Draw a sampler's `steps` (each with `.t`, `.x_t`, `.clean`, `.noise`) as three columns.

    One frame more than there are steps: the last one shows the finished picture, see
    `sampling.with_end`. The tensors are (B, C, H, W); B pictures make a small grid. With
    `schedule`, whose `alpha_bar` is (T,), the caption also gives the share of noise,
    1 - alpha_bar. `names` are those of the columns. Other arguments go to `scrubber`. Raises
    ValueError when there is no step.
    """
    check_kind(names, (list, tuple), tr("the names of three columns, a list"))
    if len(names) != len(PARTS):
        raise ValueError(tr("expected the names of {} columns, got {}", len(PARTS), brief(names)))
    steps = list(with_end(steps))
    if not all(hasattr(step, part) for step in steps for part in Step._fields):
        raise ValueError(tr("expected steps of a sampler, such as ddim(model, x_T)"))
    captions = []
    for i, step in enumerate(steps[:-1], start=1):
        t = int(check_t(step.t, 1))
        if schedule is None:
            caption = tr("step {} of {}, t = {}", i, len(steps) - 1, t)
        else:
            share = 100 * (1 - _alpha_bar(schedule, t))
            caption = tr(
                "step {} of {}, t = {}, share of noise {:.0f} %", i, len(steps) - 1, t, share
            )
        captions.append(caption)
    captions.append(tr("the end: the clean picture of the last step"))
    tracks = {}  # each (F, B, C, H, W)
    for name, part in zip(map(tr, names), Step._fields[1:], strict=True):
        pictures = [check_floats(getattr(step, part), "B C H W", name) for step in steps]
        if len({p.shape for p in pictures}) > 1:
            raise ValueError(tr("expected steps over the same pictures, got different shapes"))
        tracks[name] = torch.stack(pictures)
    return scrubber(tracks, captions, **kw)


def _alpha_bar(schedule, t):
    row = getattr(schedule, "alpha_bar", None)
    if not torch.is_tensor(row) or not 0 <= t < len(row):
        raise ValueError(tr("expected a Schedule that knows t = {}, got {}", t, brief(schedule)))
    return row[t].item()


def _of(choice):
    return tr(" of {}", brief(choice)) if choice != "" else ""


def _count_frames(pictures):
    """F, after checking that every column has as many."""
    model = next(iter(pictures.values()))  # the choices that follow must look like the first
    if not model:
        raise ValueError(tr("expected at least one track, got none"))
    frames = len(next(iter(model.values())))
    for choice, columns in pictures.items():
        where = _of(choice)
        if list(columns) != list(model):
            raise ValueError(
                tr(
                    "expected the tracks {}{}, got {}",
                    brief(list(model)),
                    where,
                    brief(list(columns)),
                )
            )
        for name, track in columns.items():
            _, h, w, _ = model[name].shape
            if track.shape[:3] != (frames, h, w):
                there, tall, wide = track.shape[:3]
                raise ValueError(
                    tr(
                        "expected track {}{} to hold {} frames of {} x {} pixels, "
                        "got {} of {} x {}",
                        *(brief(name), where, frames, h, w, there, tall, wide),
                    )
                )
    return frames


def _across(frames):
    """How many frames stand side by side in a sprite: as square as can be, no side gets long."""
    return math.ceil(math.sqrt(frames))


def _sprite(pictures):
    """Lay (F, H, W, 3) out as one near-square PNG, row by row."""
    frames, h, w, _ = pictures.shape
    across = _across(frames)
    if across * max(h, w) > LARGEST_SPRITE:
        raise ValueError(
            tr(
                "expected frames that fit a sprite of {} pixels a side, got {} of {} x {}: show "
                "fewer frames or fewer pictures in each",
                *(LARGEST_SPRITE, frames, w, h),
            )
        )
    rows = math.ceil(frames / across)
    sheet = np.zeros((rows * across, h, w, 3), np.uint8)
    sheet[:frames] = pictures
    return png_data_uri(rearrange(sheet, "(r n) h w c -> (r h) (n w) c", n=across))


def _choices(group, choice_label, names):
    radios = [
        f"""<label><input type="radio" name="{group}" {"checked" if i == 0 else ""}
 autocomplete="off" data-lm-suppress-shortcuts>{escape(name)}</label>"""
        for i, name in enumerate(names)
    ]
    word = escape(choice_label)
    return f"""<div class="choices" role="radiogroup" aria-label="{word}" hidden="hidden">
<strong>{word}</strong>{"".join(radios)}
</div>"""


def _panel(data, choices, label):
    """What one reads and moves. What needs the script is hidden until the script runs."""
    caption = escape(data["choices"][0]["captions"][data["start"]])
    longest = max((words for c in data["choices"] for words in c["captions"]), key=len)
    # JupyterLab takes the arrow keys unless a control says data-lm-suppress-shortcuts.
    return f"""
{choices}
<div class="controls" hidden="hidden">
<button type="button" data-lm-suppress-shortcuts>{tr("Play")}</button>
<label>{escape(tr(label))}<input type="range" min="0" max="{data["frames"] - 1}"
 value="{data["start"]}" aria-valuetext="{caption}" autocomplete="off"
 data-lm-suppress-shortcuts></label>
</div>
<div class="last">
<div class="said" data-longest="{escape(longest)}">
<p class="caption" aria-live="polite">{caption}</p></div>
<div class="actions"></div>
<button type="button" class="quiet" hidden="hidden" data-lm-suppress-shortcuts
 title="{escape(tr(AGAIN))}">{tr("Start over")}</button>
</div>
<p class="asleep">{tr("Run this cell to move through the frames.")}</p>"""


def _page(data, shown, alt):
    """The fragment, alive or, where no script runs, still."""
    # "<" would let a caption end the script; its JSON escape means the same to JavaScript.
    written = json.dumps(data).replace("<", "\\u003c")
    script = in_scope(KEEP + SCRIPT).replace("= DATA;", f"= {written};", 1)
    return f"""
<div class="sculptor scrubber" lang="{spoken().code}" data-scrubber="{data["id"]}"
 role="group" aria-label="{escape(alt)}">
<style>{CSS}</style>
{shown}
<script>{script}</script>
</div>"""
