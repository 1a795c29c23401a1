"""Watching a training live: progress, loss, and pictures that grow out of the same chaos."""

from IPython.display import HTML, display

from ..checks import brief, check_count, check_number, check_seed
from ..languages import tr
from ..sampling import ddim, sample
from .figures import FRAME, escape, png_data_uri, to_uint8


class LiveReport:
    """A `report` for `train` that redraws one place in the notebook.

    n pictures from the same chaos at every report; `history` keeps (step, seconds, pictures), the
    pictures (n, C, H, W), for a scrubber afterwards. With a prompt they are n of this prompt;
    `words` is its word table, as in `sample`.
    """

    def __init__(self, n=8, sampler=ddim, steps=20, seed=0, height=96, prompt=None, words=None):
        if not callable(sampler):
            raise ValueError(tr("sampler is ddim, ddpm or dpm_solver, got {}", brief(sampler)))
        self.n, self.steps = check_count(n), check_count(steps, "steps")
        self.sampler, self.height = sampler, check_count(height, "height")
        self.seed, self.prompt, self.words = check_seed(seed), prompt, words
        self.history = []
        self._place = None

    def __call__(self, run, share, model):
        share = check_number(share, "share", 1e-9, 1)
        if not getattr(run, "losses", None):
            raise ValueError(tr("expected a Run with at least one loss, got {}", brief(run)))
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
        loss, left = sum(recent) / len(recent), run.seconds / share - run.seconds
        if run.stopped:
            told = share, run.steps, run.seconds, loss
            words = tr("{:.0%}, step {}, {:.0f} s, stopped, loss {:.4f}", *told)
        else:
            told = share, run.steps, run.seconds, left, loss
            words = tr("{:.0%}, step {}, {:.0f} s, about {:.0f} s to go, loss {:.4f}", *told)
        style = f"height:{self.height}px;image-rendering:pixelated;margin:1px 7px 7px 1px;{FRAME}"
        images = "".join(
            f'<img alt="{escape(tr("Sample {} after {} steps", i, run.steps))}" '
            f'src="{png_data_uri(array)}" style="{style}">'
            for i, array in enumerate(to_uint8(pictures), start=1)
        )
        return HTML(
            f'<progress max="1" value="{share:.3f}" aria-label="{tr("training")}" '
            f'style="width:100%"></progress><p style="font-size:18px">{escape(words)}</p>'
            f'<div style="display:flex;flex-wrap:wrap">{images}</div>'
        )
