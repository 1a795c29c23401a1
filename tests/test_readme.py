"""The README stands in each language; README.md is the source of the others."""

import re

import pytest

from diffusion_helpers.authoring import readme
from diffusion_helpers.languages import languages, speaking

OTHERS = [code for code in languages() if code != "en"]


def test_english_stays_as_it_is():
    text = (readme.ROOT / "README.md").read_text("utf-8")
    assert readme.readme() == text and readme.switch("en") in text


@pytest.mark.parametrize("code", OTHERS)
def test_the_readme_is_what_the_command_makes(code):
    file = readme.ROOT / f"README.{code}.md"
    with speaking(code):
        made = readme.readme()
    assert file.read_text("utf-8") == made, "python -m diffusion_helpers.authoring.texts " + code
    assert "[English](README.md)" in made


@pytest.mark.parametrize("code", ["en", *OTHERS])
def test_links_lead_to_headings_of_the_same_readme(code):
    with speaking(code):
        made = readme.readme()
    links = set(re.findall(r"\]\(#([^)]+)\)", made))
    assert links and links <= set(readme._anchors(made))
