"""A slider over frames that were computed before: the picture answers while the hand still moves.

One HTML fragment holds everything: a sprite (all frames in one PNG) for each column, a native
slider, and a few lines of script. It needs no kernel, no network and no library, so it also lives
on in an exported page. Without its script the reader still sees the start frame and its caption.
"""

import hashlib
import html
import json
import math
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch.nn.functional import pad

from .figures import png_data_uri, to_uint8

LARGEST_SPRITE = 8192  # pixels a side; larger pictures fail on phones and old graphics cards


@dataclass
class Scrubber:
    """What a cell displays: `page` as HTML, `summary` where there is only text."""

    page: str
    summary: str

    def _repr_html_(self):
        return self.page

    def __repr__(self):
        return self.summary


def scrubber(
    tracks,
    captions,
    *,
    label="step",  # the word before the slider
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
    if choice_label is None:
        tracks, captions = {"": tracks}, {"": captions}
    if not tracks or not isinstance(captions, dict) or list(captions) != list(tracks):
        raise ValueError(
            f"expected captions for the choices {list(tracks)}, got {list(captions) or 'none'}"
        )
    pictures = {  # choice -> column -> (F, H, W, 3) uint8
        choice: {name: _frames(track, name) for name, track in columns.items()}
        for choice, columns in tracks.items()
    }
    frames = _count_frames(pictures, captions)
    start = frames - 1 if start is None else start
    if not 0 <= start < frames:
        raise ValueError(f"expected start between 0 and {frames - 1}, got {start}")

    captions = {choice: [str(words) for words in lines] for choice, lines in captions.items()}
    first = next(iter(pictures))  # the first choice is the one shown first
    data = {  # what the script works on
        "frames": frames,
        "start": start,
        "across": _across(frames),
        "names": list(pictures[first]),
        "sizes": [(track.shape[2], track.shape[1]) for track in pictures[first].values()],
        "choices": [
            {"captions": captions[choice], "sprites": [_sprite(t) for t in columns.values()]}
            for choice, columns in pictures.items()
        ],
    }
    data["id"] = hashlib.sha1(json.dumps(data).encode()).hexdigest()[:12]
    stills = [
        _still(name, track[start], captions[first][start], height)
        for name, track in pictures[first].items()
    ]
    alt = alt or f"{', '.join(data['names'])}: a slider over {frames} frames"
    choices = "" if choice_label is None else _choices(data["id"], choice_label, pictures)
    return Scrubber(_page(data, stills, choices, label, alt), f"Scrubber: {alt}")


def scrub_steps(steps, schedule=None, **kw):
    """Draw a sampler's `steps` (each with `.t`, `.x_t`, `.clean`, `.noise`) as three columns.

    The tensors are (B, C, H, W); B pictures make a small grid. With `schedule`, whose `alpha_bar`
    is (T,), the caption also says how much of the variance is dust, 1 - alpha_bar. Other
    arguments go to `scrubber`. Raises ValueError when there is no step.
    """
    steps = list(steps)
    if not steps:
        raise ValueError("expected at least one step of a sampler, got none")
    captions = []
    for i, step in enumerate(steps, start=1):
        caption = f"step {i} of {len(steps)}, t = {int(step.t)}"
        if schedule is not None:
            caption += f", dust {100 * (1 - schedule.alpha_bar[int(step.t)].item()):.0f} %"
        captions.append(caption)
    parts = {"x_t": "x_t", "predicted clean picture": "clean", "predicted noise": "noise"}
    tracks = {
        name: torch.stack([getattr(step, part) for step in steps])  # (F, B, C, H, W)
        for name, part in parts.items()
    }
    return scrubber(tracks, captions, **kw)


def _frames(track, name):
    """(F, C, H, W) or (F, N, C, H, W) -> (F, H, W, 3) uint8, N pictures laid out as one."""
    shape = tuple(getattr(track, "shape", ()))
    if len(shape) not in (4, 5) or 0 in shape:
        raise ValueError(
            f'expected track "{name}" of shape (F, C, H, W) or (F, N, C, H, W), got {shape}'
        )
    if len(shape) == 4:
        return to_uint8(track)
    n = shape[1]
    if n == 1:
        return to_uint8(track[:, 0])
    rows = math.isqrt(n)
    columns = math.ceil(n / rows)
    track = pad(track, (0, 1, 0, 1), value=1.0)  # one white pixel between neighbours
    track = pad(track, (0, 0, 0, 0, 0, 0, 0, rows * columns - n), value=1.0)  # fill the last row
    track = rearrange(track, "f (r n) c h w -> f c (r h) (n w)", r=rows)  # (F, C, rows H, cols W)
    return to_uint8(track[..., :-1, :-1])  # no gap after the last


def _count_frames(pictures, captions):
    """F, after checking that every column and every list of captions has as many."""
    model = next(iter(pictures.values()))  # the choices that follow must look like the first
    if not model:
        raise ValueError("expected at least one track, got none")
    frames = len(next(iter(model.values())))
    for choice, columns in pictures.items():
        where = f' of "{choice}"' if choice != "" else ""
        if list(columns) != list(model):
            raise ValueError(f"expected the tracks {list(model)}{where}, got {list(columns)}")
        for name, track in columns.items():
            _, h, w, _ = model[name].shape
            if track.shape[:3] != (frames, h, w):
                raise ValueError(
                    f'expected track "{name}"{where} to hold {frames} frames of {h} x {w} pixels, '
                    f"got {len(track)} of {track.shape[1]} x {track.shape[2]}"
                )
        if len(captions[choice]) != frames:
            raise ValueError(
                f"expected {frames} captions{where}, one a frame, got {len(captions[choice])}"
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
            f"expected frames that fit a sprite of {LARGEST_SPRITE} pixels a side, "
            f"got {frames} of {w} x {h}: show fewer frames or fewer pictures in each"
        )
    rows = math.ceil(frames / across)
    sheet = torch.zeros(rows * across, h, w, 3, dtype=torch.uint8)
    sheet[:frames] = torch.from_numpy(pictures)
    sheet = rearrange(sheet, "(r n) h w c -> (r h) (n w) c", n=across)  # (rows H, across W, 3)
    return png_data_uri(sheet.numpy())


def _still(name, picture, caption, height):
    """The start frame as a plain <img>, which the script replaces with a canvas."""
    h, w, _ = picture.shape
    scale = max(1, round(height / h))  # whole multiples keep every pixel the same square
    picture = repeat(picture, "h w c -> (h tall) (w wide) c", tall=scale, wide=scale)
    name, caption = html.escape(name), html.escape(caption)
    # The style is for JupyterLab without trust, which drops our <style> but keeps this.
    return f"""<figure style="display:inline-block;margin:0 16px 0 0">
<figcaption>{name}</figcaption>
<img class="picture" alt="{name}: {caption}" width="{w * scale}" height="{h * scale}"
 src="{png_data_uri(picture)}">
</figure>"""


def _choices(group, choice_label, names):
    radios = [
        f"""<label><input type="radio" name="{group}" {"checked" if i == 0 else ""}
 autocomplete="off" data-lm-suppress-shortcuts>{html.escape(str(name))}</label>"""
        for i, name in enumerate(names)
    ]
    word = html.escape(choice_label)
    return f"""<div class="choices" role="radiogroup" aria-label="{word}" hidden="hidden">
<strong>{word}</strong>{"".join(radios)}
</div>"""


def _page(data, stills, choices, label, alt):
    """The fragment. What needs the script is hidden until the script runs."""
    caption = html.escape(data["choices"][0]["captions"][data["start"]])
    # "<" would let a caption end the script; its JSON escape means the same to JavaScript.
    script = SCRIPT.replace("DATA", json.dumps(data).replace("<", "\\u003c"), 1)
    # JupyterLab takes the arrow keys unless a control says data-lm-suppress-shortcuts.
    return f"""
<div class="scrubber" data-scrubber="{data["id"]}" role="group" aria-label="{html.escape(alt)}">
<style>{CSS}</style>
{choices}
<div class="columns">{"".join(stills)}</div>
<div class="controls" hidden="hidden">
<button type="button" data-lm-suppress-shortcuts>Play</button>
<label>{html.escape(label)}<input type="range" min="0" max="{data["frames"] - 1}"
 value="{data["start"]}" aria-valuetext="{caption}" autocomplete="off"
 data-lm-suppress-shortcuts></label>
</div>
<p class="caption" aria-live="polite">{caption}</p>
<p class="asleep">Run this cell to move through the frames.</p>
<script>{script}</script>
</div>"""


CSS = """
.scrubber { position: relative; z-index: 2; /* stays clickable on a slide */
  box-sizing: border-box; width: fit-content; min-width: min(480px, 100%); max-width: 100%;
  padding: 14px 16px; margin: 4px 0; border: 1px solid #c8c8c8; border-radius: 10px;
  color: #1a1a1a; background: #fff; color-scheme: light; /* one look in light and dark themes */
  font: 18px/1.4 system-ui, sans-serif; }
.scrubber [hidden] { display: none !important; }
.scrubber .columns { display: flex; align-items: end; gap: 16px; }
.scrubber figure { min-width: 0; margin: 0 !important; } /* narrow windows shrink all columns */
.scrubber figcaption { width: 0; min-width: 100%; margin: 0 0 6px; color: #1a1a1a;
  font: 600 18px/1.4 system-ui, sans-serif; } /* a long name wraps within its column */
.scrubber .picture { display: block; max-width: 100%; height: auto; margin: 0;
  image-rendering: pixelated; outline: 1px solid #c8c8c8; }
.scrubber .choices, .scrubber .controls { display: flex; flex-wrap: wrap; align-items: center;
  gap: 8px 18px; }
.scrubber .choices { margin-bottom: 12px; }
.scrubber .controls { margin-top: 14px; }
.scrubber .controls label { display: flex; flex: 1 1 180px; align-items: center; gap: 16px; }
.scrubber .choices input { width: 20px; height: 20px; margin: 0 8px 0 0; vertical-align: -3px;
  accent-color: #0072b2; }
.scrubber button { min-width: 6em; padding: 8px 14px; color: #fff; background: #00598c; border: 0;
  border-radius: 6px; font: 600 18px/1.4 system-ui, sans-serif; cursor: pointer; }
.scrubber [type=range] { flex: 1; min-width: 0; height: 32px; margin: 0; appearance: none;
  background: none; border-radius: 8px; cursor: pointer; }
.scrubber ::-webkit-slider-runnable-track { height: 8px; border-radius: 4px; background: #718898; }
.scrubber ::-moz-range-track { height: 8px; border-radius: 4px; background: #718898; }
.scrubber ::-webkit-slider-thumb { width: 26px; height: 26px; margin-top: -9px; appearance: none;
  border: 0; border-radius: 50%; background: #00598c; }
.scrubber ::-moz-range-thumb { width: 26px; height: 26px; border: 0; border-radius: 50%;
  background: #00598c; }
.scrubber :focus-visible { outline: 3px solid #d55e00; outline-offset: 2px; }
.scrubber .caption { min-height: 1.4em; margin: 8px 0 0; color: #1a1a1a;
  font: 20px/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
"""

SCRIPT = """
(() => {
  const data = DATA;
  const wake = async (root) => {
    root.dataset.alive = Math.random().toString(36).slice(2);
    const slider = root.querySelector("[type=range]"), button = root.querySelector("button");
    const caption = root.querySelector(".caption");
    const radios = root.querySelectorAll("[type=radio]");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pause = still ? 1000 : Math.max(60, Math.min(400, 5000 / data.frames));
    let choice = 0, timer = null;
    const sprites = await Promise.all(data.choices.map(({ sprites }) => Promise.all(
      sprites.map(async (source) => {
        const sprite = new Image();
        sprite.src = source;
        await sprite.decode();
        return sprite;
      }))));
    const canvases = [...root.querySelectorAll("img")].map((img, column) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = data.sizes[column];
      canvas.className = img.className;
      canvas.style.width = `${img.getAttribute("width")}px`;
      canvas.setAttribute("role", "img");
      return canvas;
    });
    const show = () => {
      const frame = slider.valueAsNumber, words = data.choices[choice].captions[frame];
      canvases.forEach((canvas, column) => {
        const { width, height } = canvas;
        const x = frame % data.across * width, y = Math.floor(frame / data.across) * height;
        canvas.getContext("2d").drawImage(
          sprites[choice][column], x, y, width, height, 0, 0, width, height);
        canvas.setAttribute("aria-label", `${data.names[column]}: ${words}`);
      });
      caption.textContent = words;
      slider.setAttribute("aria-valuetext", words);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      caption.setAttribute("aria-live", "polite");
    };
    const play = () => {
      if (slider.valueAsNumber >= data.frames - 1) slider.value = 0;
      button.textContent = "Pause";
      caption.setAttribute("aria-live", "off"); // a voice cannot follow ten captions a second
      show();
      timer = setInterval(() => {
        slider.value = slider.valueAsNumber + 1;
        show();
        if (slider.valueAsNumber >= data.frames - 1 || !root.isConnected) stop();
      }, pause);
    };
    slider.addEventListener("input", () => { stop(); show(); });
    button.addEventListener("click", () => (timer ? stop() : play()));
    radios.forEach((radio, i) => {
      radio.name += root.dataset.alive; // two copies on one page choose independently
      radio.addEventListener("change", () => { choice = i; show(); });
    });
    slider.value = data.start;
    show();
    root.querySelectorAll("img").forEach((img, column) => img.replaceWith(canvases[column]));
    root.querySelectorAll("[hidden]").forEach((part) => { part.hidden = false; });
    root.querySelector(".asleep").remove();
  };
  document.querySelectorAll(`[data-scrubber="${data.id}"]:not([data-alive])`).forEach(wake);
})();
"""
