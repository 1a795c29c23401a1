"""Watching a training live: progress, loss, and pictures that grow out of the same chaos."""

import html

from IPython.display import HTML, display

from ..checks import brief, check_count, check_number, check_seed
from ..sampling import ddim, sample
from .figures import FRAME, png_data_uri, to_uint8


class LiveReport:
    """A `report` for `train` that redraws one place in the notebook.

    n pictures from the same chaos at every report; `history` keeps (step, seconds, pictures), the
    pictures (n, C, H, W), for a scrubber afterwards. With a prompt they are n of this prompt;
    `words` is its word table, as in `sample`.
    """

    def __init__(self, n=8, sampler=ddim, steps=20, seed=0, height=96, prompt=None, words=None):
        if not callable(sampler):
            raise ValueError(f"sampler is ddim, ddpm or dpm_solver, got {brief(sampler)}")
        self.n, self.steps = check_count(n), check_count(steps, "steps")
        self.sampler, self.height = sampler, check_count(height, "height")
        self.seed, self.prompt, self.words = check_seed(seed), prompt, words
        self.history = []
        self._place = None

    def __call__(self, run, share, model):
        share = check_number(share, "share", 1e-9, 1)
        if not getattr(run, "losses", None):
            raise ValueError(f"expected a Run with at least one loss, got {brief(run)}")
        how = {"steps": self.steps, "sampler": self.sampler, "seed": self.seed, "n": self.n}
        pictures = sample(model, self.prompt, words=self.words, **how).cpu()
        self.history.append((run.steps, run.seconds, pictures))
        self._draw(self._page(run, share, pictures))

    def _draw(self, page):
        if self._place is None:
            self._place = display(page, display_id=True)
        else:
            self._place.update(page)

    def _page(self, run, share, pictures):
        recent = run.losses[-50:]
        left = f"about {run.seconds / share - run.seconds:.0f} s to go"
        words = (
            f"{share:.0%}, step {run.steps}, {run.seconds:.0f} s, "
            f"{'stopped' if run.stopped else left}, loss {sum(recent) / len(recent):.4f}"
        )
        style = f"height:{self.height}px;image-rendering:pixelated;margin:1px 7px 7px 1px;{FRAME}"
        images = "".join(
            f'<img alt="Sample {i + 1} after {run.steps} steps" src="{png_data_uri(array)}" '
            f'style="{style}">'
            for i, array in enumerate(to_uint8(pictures))
        )
        return HTML(
            f'<progress max="1" value="{share:.3f}" aria-label="training" style="width:100%">'
            f'</progress><p style="font-size:18px">{html.escape(words)}</p>'
            f'<div style="display:flex;flex-wrap:wrap">{images}</div>'
        )
