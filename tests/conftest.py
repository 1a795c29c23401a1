"""What the browser tests share."""

import os

import pytest
from browser import chromium, why_not
from drawings import drawing_page


# Scope "module": Playwright's event loop is gone before other files run theirs.
@pytest.fixture(scope="module")
def visit():
    """A function that opens a tab of a real browser; without one, skipped here, never in CI."""
    reason = why_not()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with chromium() as visit:
        yield visit


@pytest.fixture(scope="module")
def draws(visit):
    """Compares a drawing of a page with the lesson's own function: see drawings.py."""
    with drawing_page(visit) as compare:
        yield compare
