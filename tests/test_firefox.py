"""Pages without Python in Firefox: what tests/test_living.py says of them in Chromium holds there.

It needs Firefox (`apt install firefox-esr` on Debian), and is skipped without it.
"""

import firefox
import pytest
from test_living import (  # noqa: F401  (fixtures, and the tests that have a page to run in)
    float32,
    site,
    test_a_page_draws_whole_pictures_as_pytorch_does,
    test_any_prompt_has_the_same_words_and_rows,
    test_attention_weights_are_those_of_the_layer_with_that_name,
    test_controls_do_not_wait_for_each_other_and_trouble_is_one_sentence,
    test_prompts_have_the_same_words_and_rows,
    test_schedules_and_levels_are_the_same,
    test_the_dice_are_those_of_pytorch,
    test_the_newest_request_wins,
    test_what_is_not_heard_is_said_in_the_same_words,
    worker,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not firefox.find(), reason="no Firefox: apt install firefox-esr"),
]


@pytest.fixture(scope="module")
def tab():
    with firefox.firefox() as tab:
        yield tab


@pytest.fixture(scope="module")
def page(site, tab):  # noqa: F811
    """As in test_living.py: evaluates JavaScript in the page, with one argument."""
    tab.goto(f"{site[0]}/page.html")
    yield tab.evaluate
    tab.check_quiet()
