"""What the browser tests share."""

import os

import pytest
from browser import chromium, why_not


# Scope "module": Playwright's event loop is gone before other files run theirs.
@pytest.fixture(scope="module")
def visit():
    """A function that opens a tab of a real browser; without one, skipped here, never in CI."""
    reason = why_not()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with chromium() as visit:
        yield visit
