"""Pictures on the page: the right pixels, the right words, nothing unescaped."""

import base64
import io
import re
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_helpers.widgets import figures


def displayed(function, *args, **kw):
    """The HTML that `function` displays."""
    with mock.patch.object(figures, "display") as display:
        function(*args, **kw)
    (shown,) = display.call_args.args
    return shown.data


def decode(uri):
    """A PNG data URI -> (H, W, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def sources(page):
    return re.findall(r'src="(data:image/png;base64,[^"]+)"', page)


def test_to_uint8_maps_the_range_and_clamps():
    images = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]).reshape(5, 1, 1, 1).expand(5, 3, 2, 4)
    bytes_ = figures.to_uint8(images)
    assert bytes_.shape == (5, 2, 4, 3) and bytes_.dtype == np.uint8
    assert bytes_[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_to_uint8_keeps_channels_and_turns_grey_into_three():
    red = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1)
    assert figures.to_uint8(red).tolist() == [[[[255, 0, 0]]]]
    assert figures.to_uint8(torch.ones(1, 1, 1, 1).bfloat16()).tolist() == [[[[255, 255, 255]]]]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            torch.zeros(32, 32),
            r"of shape \(N, 3, 32, 32\).*got torch.float32 \(32, 32\)",
        ),
        (torch.zeros(1, 2, 8, 8), r"got torch.float32 \(1, 2, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "got torch.uint8"),
        ([1, 2], r"got \[1, 2\]"),
        (torch.zeros(0, 3, 8, 8), "at least one picture"),
        (torch.full((2, 3, 8, 8), float("nan")), "NaN or infinite numbers in 2 of 2 pictures"),
    ],
)
def test_wrong_pictures_get_one_sentence(images, words):
    with pytest.raises(ValueError, match=words):
        figures.to_uint8(images)


def test_show_pictures_escapes_and_decodes():
    images = torch.rand(3, 3, 8, 8) * 2 - 1
    page = displayed(figures.show_pictures, images, "<b>three</b>", ["a", "<script>", '"'])
    assert "<script>" not in page and "<b>" not in page
    assert "&lt;script&gt;" in page and page.count("image-rendering:pixelated") == 3
    assert len(re.findall(r'alt="[^"]+"', page)) == 3
    for uri, expected in zip(sources(page), figures.to_uint8(images), strict=True):
        assert np.array_equal(decode(uri), expected)


def test_rows_of_pictures_have_names_for_the_eye_and_the_ear():
    zeros = torch.zeros(5, 3, 8, 8)
    page = displayed(figures.show_pictures, zeros, "two", columns=3, rows=["a", "<"])
    assert page.count(">a</span>") == page.count(">&lt;</span>") == 1
    assert re.findall('alt="two: (.*?)"', page)[2:4] == ["a, 3 of 5", "&lt;, 4 of 5"]
    with pytest.raises(ValueError, match="expected 2 captions, one a row, got 1"):
        figures.show_pictures(torch.zeros(5, 3, 8, 8), "two", columns=3, rows=["a"])


@pytest.mark.parametrize(("width", "wanted"), [(1300, 80), (600, 42)])
def test_a_row_of_pictures_is_never_cut_off(visit, tmp_path, width, wanted):
    images = torch.rand(12, 3, 8, 8) * 2 - 1
    page = displayed(figures.show_pictures, images, "twelve", ["a"] * 12, columns=12, height=80)
    (tmp_path / "row.html").write_text(f'<!doctype html><html lang="en"><main>{page}</main></html>')
    with visit() as tab:
        tab.page.set_viewport_size({"width": width, "height": 400})
        tab.page.goto((tmp_path / "row.html").as_uri())
        boxes = [picture.bounding_box() for picture in tab.page.locator("img").all()]
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(abs(box["width"] - wanted) < 2 for box in boxes)
    assert all(abs(box["width"] - box["height"]) < 1 for box in boxes)


def test_show_pictures_wants_words_and_matching_captions():
    with pytest.raises(ValueError, match="expected alt"):
        figures.show_pictures(torch.zeros(1, 3, 8, 8), "")
    with pytest.raises(ValueError, match="expected 1 captions"):
        figures.show_pictures(torch.zeros(1, 3, 8, 8), "one picture", ["a", "b"])


def test_show_draws_escapes_and_closes():
    figures.use_course_style()
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    page = displayed(figures.show, fig, 'a "line" <up>')
    assert 'alt="a &quot;line&quot; &lt;up&gt;"' in page
    assert decode(sources(page)[0]).shape[1] > 1500  # 10 inches, sharp on a projector
    assert not plt.fignum_exists(fig.number)


def test_show_wants_words():
    fig = plt.figure()
    with pytest.raises(ValueError, match="expected alt"):
        figures.show(fig, " ")
    plt.close(fig)


def drawn(function, *args, **kw):
    """The figure that `function` would show."""
    with mock.patch.object(figures, "show") as show:
        function(*args, **kw, alt="what it shows")
    fig = show.call_args.args[0]
    plt.close(fig)
    return fig.axes[0]


LABELS = {"xlabel": "t", "ylabel": "error"}


def test_curves_are_drawn_where_the_numbers_are():
    lines = {"ours": torch.tensor([3.0, 1.0]), "theirs": ([5, 6, 7], [1, 2, 3])}
    ax = drawn(figures.show_curves, [0, 9], lines, **LABELS, level={"mean": 2}, log=True)
    assert [line.get_xydata().tolist() for line in ax.lines[:2]] == [
        [[0, 3], [9, 1]],
        [[5, 1], [6, 2], [7, 3]],
    ]
    assert ax.lines[2].get_ydata() == [2, 2] and ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().texts] == ["ours", "theirs", "mean"]
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 3
    alone = drawn(figures.show_curves, [0, 1], {"ours": [1, 2]}, **LABELS)
    assert alone.get_legend() is None


def test_bars_carry_their_numbers_from_the_top_down():
    groups = {"one": {"a": 1.0, "b": 2.0}, "two": {"a": 3.25, "b": 4.0}}
    ax = drawn(figures.show_bars, groups, xlabel="error", errors=groups)
    first, second = (c for c in ax.containers if hasattr(c, "patches"))
    assert [bar.get_width() for bar in first] == [1, 3.25]
    assert [bar.get_width() for bar in second] == [2, 4]
    assert {"1", "3.25"} <= {text.get_text() for text in ax.texts} and ax.yaxis_inverted()
    plain = drawn(figures.show_bars, {"one": 1.0, "two": torch.tensor(2)}, xlabel="error")
    assert [bar.get_width() for bar in plain.containers[0]] == [1, 2]


def test_a_heat_map_writes_each_number_into_its_cell():
    ax = drawn(figures.show_heat_map, [[1, 2.5], [3, 4]], rows="ab", columns="cd", **LABELS)
    assert [(t.get_position(), t.get_text()) for t in ax.texts][:2] == [
        ((0, 0), "1"),
        ((1, 0), "2.5"),
    ]


def test_each_cloud_of_points_has_its_own_square():
    clouds = {"one": torch.tensor([[1.0, 2.0]]), "two": torch.zeros(3, 2)}
    ax = drawn(figures.show_points, clouds)
    assert [a.get_title() for a in ax.figure.axes] == ["one", "two"]
    assert ax.lines[0].get_xydata().tolist() == [[1, 2]] and ax.get_aspect() == 1
    alone = drawn(figures.show_points, {"one": torch.zeros(2, 2)}, side=5)
    assert alone.get_xlim() == (-5, 5)


def test_a_table_escapes_names_its_rows_and_shortens_numbers():
    rows = {"<b>": [0.123456, "99 %"], "second": [torch.tensor(2.0), 7]}
    page = displayed(figures.show_table, rows, ["error", "share"], caption="Two rows.")
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page)
    assert cells == ["", "error", "share", "&lt;b&gt;", "0.123", "99 %", "second", "2", "7"]
    assert 'scope="row"' in page and ">Two rows.</caption>" in page


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: figures.show_curves([1], {}, **LABELS, alt="a"), "something to show"),
        (lambda: figures.show_curves([1], {"a": [1, 2]}, **LABELS, alt="a"), "the line 'a'"),
        (lambda: figures.show_curves([1], {"a": 1}, **LABELS, alt="a"), "the line 'a'"),
        (lambda: figures.show_curves([1], {"a": ["x"]}, **LABELS, alt="a"), "the line 'a'"),
        (lambda: figures.show_bars({}, xlabel="a", alt="a"), "something to show"),
        (
            lambda: figures.show_bars({"a": {"x": 1}, "b": {"y": 1}}, xlabel="a", alt="a"),
            "the same bars in every group",
        ),
        (
            lambda: figures.show_heat_map([[1]], rows="ab", columns="a", **LABELS, alt="a"),
            r"one number for each row and column, \(2, 1\)",
        ),
        (lambda: figures.show_points({}, alt="a"), "something to show"),
        (lambda: figures.show_points({"a": torch.zeros(3)}, alt="a"), r"points \(N, 2\) for 'a'"),
        (lambda: figures.show_table({"a": [1]}, [], caption="a"), "0 cells in the row 'a', got 1"),
        (lambda: figures.show_table({"a": [1]}, ["b"], caption=""), "expected alt"),
    ],
)
def test_charts_say_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- feature maps -------------------------------------------------------------------------------


def test_feature_maps_go_from_the_darkest_to_the_lightest_and_keep_sharp_pixels():
    features = torch.arange(2.0 * 4).reshape(2, 2, 2) * 7 - 3
    maps = figures.feature_maps(features, n=2, size=4)
    assert maps.shape == (2, 1, 4, 4)
    assert maps.amin((1, 2, 3)).tolist() == [-1, -1] and maps.amax((1, 2, 3)).tolist() == [1, 1]
    assert torch.equal(maps[..., ::2, ::2], maps[..., 1::2, 1::2]), "each value fills a square"
    assert torch.equal(
        figures.feature_maps(torch.ones(1, 4, 4), n=1, size=4), -torch.ones(1, 1, 4, 4)
    )


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 5, 4), (2, 0, 4)])
def test_feature_maps_that_do_not_fit_get_one_sentence(shape):
    n = 4 if shape[0] == 3 else 2
    with pytest.raises(ValueError, match=f"at least {n} channels whose height and width divide 8"):
        figures.feature_maps(torch.zeros(shape), n=n, size=8)
