"""Whose work the course carries: each file is credited, and its licence stands beside it."""

import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from diffusion_helpers.authoring.site import licences
from diffusion_helpers.authoring.site.licences import MAKERS, licences_page
from diffusion_helpers.data import DATA
from diffusion_helpers.living.files import NETWORKS, VENDOR, needed_files
from diffusion_helpers.text import STYLES

ROOT = Path(__file__).parent.parent
CREDITS = DATA / "licences" / "CREDITS.md"
PACKED_AS = {  # the engine's files have other names in a page
    "ort.mjs": "ort.wasm.bundle.min.mjs",
    "ort.wasm": "ort-wasm-simd-threaded.wasm.gz",
}


@pytest.fixture(scope="module")
def page():
    return licences_page(ROOT)


def named(file, text):
    """Whether a text names a file of data/, by itself or by its folder."""
    path = Path(file)
    folders = [f"`{folder.as_posix()}/`" for folder in path.parents]
    return any(name in text for name in (f"`{file}`", f"`{path.name}`", *folders))


def test_every_file_that_the_course_or_a_page_carries_is_credited(page):
    sums = (DATA / "SHA256SUMS").read_text("ascii").splitlines()
    packed = {name for need in (*NETWORKS, "words") for name in needed_files(need)}
    vendored = [file.name for file in VENDOR.iterdir() if file.name != "README.md"]
    credits = page.partition("\n## Credits\n")[2].replace("`data/emoji/`", "")  # names no licence
    files = {PACKED_AS.get(name, name) for name in packed} | {line.split("  ")[1] for line in sums}
    assert {file for file in files if not named(file, credits)} == set()
    assert [name for name in vendored if f"`{name}`" not in page and f"[{name}]" not in page] == []
    assert not named("emoji/new_32.webp", credits) and not named("words/more.json", credits)


def test_sheets_and_words_are_credited_under_one_licence_each():
    sections = re.split(r"^## ", CREDITS.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert all(section.startswith(("Under ", "Ours, under ")) for section in sections)
    for style in STYLES:
        for size in (32, 64):
            homes = [s.split("\n")[0] for s in sections if f"`{style}_{size}.webp`" in s]
            assert len(homes) == 1
    assert sum("`words/words.json`" in s for s in sections) == 1
    assert sum("`words/words.safetensors`" in s for s in sections) == 1


def test_every_text_of_a_licence_is_linked_and_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page)
    assert {link for link in links if not (ROOT / link).is_file()} == set()
    texts = {f"data/licences/{file.name}" for file in CREDITS.parent.glob("*.txt")}
    assert texts | {"LICENSE"} <= set(links)
    for file in ("LICENSE", "ThirdPartyNotices.txt", "musl-COPYRIGHT.txt"):
        assert f"diffusion_helpers/living/vendor/{file}" in links


def test_the_page_holds_all_of_the_credits_and_the_terms_of_what_makes_it(page):
    for credit in re.findall(r"\*\*[^*]+\*\*", CREDITS.read_text("utf-8")):
        assert credit in page
    assert page.count("<details>") == page.count("</details>") == len(MAKERS)
    for made in page.partition("## What makes these pages")[2].split("<details>")[1:]:
        assert re.search(r"Copyright|©", made) and "WARRANT" in made


def test_headings_of_the_parts_stand_below_the_pages_own(page):
    levels = [len(mark) for mark in re.findall(r"^(#+) ", page, flags=re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower <= level + 1 for level, lower in pairwise(levels))


def test_a_package_that_is_missing_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(MAKERS, "no-such-package", "nothing")
    with pytest.raises(FileNotFoundError, match="no-such-package is missing: pip install"):
        licences_page(ROOT)


def test_a_package_without_the_text_of_its_licence_is_named(monkeypatch):
    bare = SimpleNamespace(version="1.0", files=[])
    monkeypatch.setattr(licences, "distribution", lambda name: bare)
    with pytest.raises(FileNotFoundError, match=r"sphinx 1\.0 has no text of its licence"):
        licences_page(ROOT)
