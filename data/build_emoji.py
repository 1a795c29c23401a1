"""Render the emoji pictures and their captions from the public icon packages.

Run it once, from the root of the repository (Node's npm and `pip install -e ".[data]"`):

    npm install --prefix build/npm @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5 \
        @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/noto-v1@1.2.5 \
        @iconify-json/fxemoji@1.2.2 @iconify-json/emojione@1.2.3 emojibase-data@17.0.0
    python data/build_emoji.py build/npm/node_modules

It writes, into data/emoji/, one sheet of pictures per style and size (`noto_32.webp`: 40 pictures
a row, lossless, on white) and `emoji.json` with the captions, the order of the pictures on their
sheets and the held-out pairs. Then run data/checksums.py.
"""

import argparse
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import resvg_py
from einops import rearrange
from PIL import Image

from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say

OUT = Path(__file__).parent / "emoji"
SIZES = (32, 64)  # 32 for the lessons, 64 for the latent model of lesson 08
COLUMNS = 40
STYLES = {  # our word for the style: the npm package that draws it
    "noto": "noto",
    "twemoji": "twemoji",
    "fluent": "fluent-emoji-flat",
    "noto-v1": "noto-v1",
    "emojione": "emojione",
    "fxemoji": "fxemoji",
}
GROUPS_LEFT_OUT = {
    "component",
    "symbols",
    "flags",
}  # letters, arrows, skin tones: nothing to sculpt
MAN, WOMAN, PERSON = "1F468", "1F469", "1F9D1"
FEMALE_SIGN, MALE_SIGN = "2640", "2642"


def key(hexcode):
    """The packages disagree about the invisible 'show me as an emoji' mark, so leave it out."""
    return hexcode.lower().replace("-fe0f", "")


def slug(text):
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("’", ""))


def is_twin(hexcode, all_hexcodes):
    """True for the man's and the woman's edition of an emoji that exists as a person too."""
    first, *rest = hexcode.split("-")
    person = "-".join([PERSON, *rest])
    return {FEMALE_SIGN, MALE_SIGN} & set(rest) or (
        first in (MAN, WOMAN) and rest and person in all_hexcodes
    )


def read_concepts(emojibase):
    """What each emoji is called, in English and in Russian, in the order of the Unicode charts."""
    english = json.loads((emojibase / "en" / "data.json").read_text("utf-8"))
    russian = {
        e["hexcode"]: e for e in json.loads((emojibase / "ru" / "data.json").read_text("utf-8"))
    }
    group_names = json.loads((emojibase / "meta" / "groups.json").read_text("utf-8"))["groups"]
    hexcodes = {e["hexcode"] for e in english}
    concepts = []
    for e in sorted(english, key=lambda e: e.get("order", 0)):
        group = group_names.get(str(e.get("group")))
        if group is None or group in GROUPS_LEFT_OUT or is_twin(e["hexcode"], hexcodes):
            continue
        if e["label"].startswith("family:"):  # 28 near-copies of one grey drawing
            continue
        ru = russian[e["hexcode"]]
        concepts.append(
            {
                "hexcode": e["hexcode"],
                "name": e["label"],
                "name_ru": ru["label"],
                "keywords": e.get("tags", []),
                "keywords_ru": ru.get("tags", []),
                "group": group,
            }
        )
    return concepts


def find_icons(packages, concepts):
    """{style: {hexcode: svg}}, by code point or, where a package has none, by exact name."""
    folders = {style: packages / "@iconify-json" / name for style, name in STYLES.items()}
    chars = {
        style: {key(k): v for k, v in json.loads((f / "chars.json").read_text("utf-8")).items()}
        for style, f in folders.items()
    }
    found = {}
    for style, folder in folders.items():
        icons = json.loads((folder / "icons.json").read_text("utf-8"))
        names = {**icons["icons"], **icons.get("aliases", {})}
        by_slug = {slug(name): name for name in names}
        found[style] = {}
        for concept in concepts:
            code = key(concept["hexcode"])
            if chars[style]:
                name = chars[style].get(code)
            else:
                candidates = [chars[s].get(code) for s in ("noto", "twemoji")]
                name = next(
                    (c for c in candidates if c in names), by_slug.get(slug(concept["name"]))
                )
            if name:
                found[style][concept["hexcode"]] = svg_of(icons, name)
    return found


def svg_of(icons, name):
    icon = dict(icons["icons"].get(name) or icons["aliases"][name])
    if "parent" in icon:
        if set(icon) - {"parent", "hidden"}:
            raise ValueError(f"the alias {name} turns or flips its parent: draw it by hand")
        return svg_of(icons, icon["parent"])
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="64" height="64" viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )


def render(svg, size):
    """One picture (size, size, 3), drawn four times too large on white, then averaged down."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=4 * size, height=4 * size))
    rgba = Image.open(io.BytesIO(png)).convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    rgb = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"), dtype=np.float64)
    small = rearrange(rgb, "(h a) (w b) c -> h w c a b", a=4, b=4).mean(axis=(-1, -2))
    return small.round().astype(np.uint8)


def save_sheet(pictures, path):
    """Pictures (N, size, size, 3) on one sheet, row by row, the last row filled up with white."""
    missing = -len(pictures) % COLUMNS
    blank = np.full((missing, *pictures.shape[1:]), 255, np.uint8)
    sheet = rearrange(
        np.concatenate([pictures, blank]), "(row col) h w c -> (row h) (col w) c", col=COLUMNS
    )
    Image.fromarray(sheet).save(path, lossless=True, quality=100, method=6)


def choose_held_out(order):
    """5 % of the (concept, style) pairs, by a hash, so that adding a style moves no other pair.

    A concept always keeps at least one style for training: the held-out pairs ask whether a model
    can compose a concept and a style that it knows, not whether it can guess an unknown concept.
    """
    pairs = [(h, style) for style, hexcodes in order.items() for h in hexcodes]
    chosen = [p for p in pairs if hashlib.sha256(" ".join(p).encode()).digest()[0] % 20 == 0]
    left = {h: sum(h in hexcodes for hexcodes in order.values()) for h, _ in pairs}
    held_out = []
    for hexcode, style in chosen:
        if left[hexcode] > 1:
            left[hexcode] -= 1
            held_out.append([hexcode, style])
    return held_out


def main(packages):
    concepts = read_concepts(packages / "emojibase-data")
    icons = find_icons(packages, concepts)
    order = {
        style: [c["hexcode"] for c in concepts if c["hexcode"] in icons[style]] for style in STYLES
    }
    OUT.mkdir(exist_ok=True)
    for style, hexcodes in order.items():
        for size in SIZES:
            pictures = np.stack([render(icons[style][h], size) for h in hexcodes])
            path = OUT / f"{style}_{size}.webp"
            save_sheet(pictures, path)
            say(f"{path.name}: {len(pictures)} pictures, {path.stat().st_size / 1e6:.2f} MB")
    used = {h for hexcodes in order.values() for h in hexcodes}
    index = {
        "columns": COLUMNS,
        "concepts": [c for c in concepts if c["hexcode"] in used],
        "order": order,
        "held_out": choose_held_out(order),
    }
    (OUT / "emoji.json").write_text(
        json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8"
    )
    say(f"{len(used)} concepts, {len(index['held_out'])} held-out pairs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", type=commands.folder, help="npm's folder node_modules")
    try:
        main(parser.parse_args().packages)
    except FileNotFoundError as missing:
        parser.exit(1, f"{missing.filename} is missing: run npm as the head of this file says.\n")
