"""Neighbours, their pictures and widgets: by hand-computed values on small examples."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from tagkit import plots, widgets
from tagkit.evaluation import neighbours
from tagkit.widgets import map as maps

# Four clips on a line from 0 to 90 degrees; the first two are by one artist.
ANGLES = np.radians([0, 10, 50, 90])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
NEAR = np.cos(ANGLES[:, None] - ANGLES)
ARTISTS = ["ann", "ann", "bob", "cid"]


def test_similarity_is_the_cosine():
    lengths = np.array([[1], [2], [3], [4]])
    found = neighbours.similarity(VECTORS * lengths, centre=False)
    np.testing.assert_allclose(found, NEAR, atol=1e-12)
    some = neighbours.similarity(VECTORS * lengths, centre=False, of=[2, 0])
    np.testing.assert_allclose(some, NEAR[[2, 0]], atol=1e-12)
    found = neighbours.similarity(np.array([[0.0, 0], [1, 0]]), centre=False)
    np.testing.assert_array_equal(found, [[0, 0], [0, 1]])  # zeros are similar to none


def test_centring_takes_off_what_all_share():
    leaning = VECTORS + 100
    assert neighbours.similarity(leaning, centre=False).min() > 0.99
    np.testing.assert_allclose(
        neighbours.similarity(leaning), neighbours.similarity(VECTORS), atol=1e-9
    )
    opposite = neighbours.similarity(np.array([[101.0, 7], [99, 7]]))
    np.testing.assert_allclose(opposite, [[1, -1], [-1, 1]])


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 2)), [[np.nan, 1.0]]])
def test_similarity_refuses(bad):
    with pytest.raises(ValueError, match="n_clips, n_features"):
        neighbours.similarity(bad)


def test_overlap_counts_shared_tags():
    found = neighbours.overlap([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert found[0, 1] == 0.5 and found[0, 2] == 0 and found[1, 2] == 0.25
    assert (np.diag(found) == [1, 1, 1, 0]).all() and (found == found.T).all()


def test_nearest_leaves_out_the_clip_itself_and_its_group():
    assert neighbours.nearest(NEAR, 3)[0].tolist() == [1, 2, 3]
    assert neighbours.nearest(NEAR, 2, ARTISTS).tolist() == [
        [2, 3],
        [2, 3],
        [1, 3],  # cos 40 twice, 1 nearer than 0
        [2, 1],
    ]


def test_nearest_keeps_the_order_of_ties_and_negative_similarities():
    assert neighbours.nearest(-np.ones((3, 3)), 2).tolist() == [[1, 2], [0, 2], [0, 1]]


def test_nearest_refuses():
    for k, groups, most in ((0, None, 3), (4, None, 3), (3, ARTISTS, 2)):
        with pytest.raises(ValueError, match=f"1 to {most}"):
            neighbours.nearest(NEAR, k, groups)
    with pytest.raises(ValueError, match="n_clips, n_clips"):
        neighbours.nearest(NEAR[:2], 1)


def test_precision_at_k_by_hand():
    found = np.array([[1, 2], [0, 3]])
    relevant = np.array([[0, 1, 0, 1], [1, 0, 0, 1]], dtype=bool)
    assert neighbours.precision_at_k(found, relevant).tolist() == [0.5, 1.0]
    with pytest.raises(ValueError, match="2 .* 1"):
        neighbours.precision_at_k(found, relevant[:1])


def test_interval_of_groups_is_wider():
    values, groups = [1, 1, 1, 0, 0, 0] * 10, [0, 0, 0, 1, 1, 1] * 10
    alone = neighbours.interval(values)
    whole = neighbours.interval(values, groups)
    assert alone[0] == whole[0] == 0.5
    assert whole[1] == 0 and whole[2] == 1, "two artists, drawn whole"
    assert 0.3 < alone[1] < 0.5 < alone[2] < 0.7
    assert neighbours.interval(values) == alone, "the same each time"
    with pytest.raises(ValueError, match="n_queries"):
        neighbours.interval([])


def test_hubness_by_hand():
    even = neighbours.hubness(np.array([[1], [2], [0]]), 3)
    assert even.to_dict() == {"skewness": 0, "most": 1, "never": 0}
    star = neighbours.hubness(np.array([[4], [4], [4], [4], [0]]), 5)
    assert star["most"] == 4 and star["never"] == 3
    counts = np.array([1, 0, 0, 0, 4]) - 1
    by_hand = (counts**3).mean() / (counts**2).mean() ** 1.5
    assert star["skewness"] == pytest.approx(by_hand)


def minus_distances(n_clips, n_features):
    """Similarities in which hubs grow: of points, by their squared distances."""
    points = np.random.default_rng(1).normal(size=(n_clips, n_features)) + 1
    squares = (points**2).sum(axis=1)
    return points, 2 * points @ points.T - squares[:, None] - squares


def test_distances_grow_hubs_with_dimensions_and_centred_cosines_do_not():
    points, distances = minus_distances(400, 100)
    ways = distances, neighbours.similarity(points)
    far, near = (neighbours.hubness(neighbours.nearest(w, 10), 400) for w in ways)
    assert far["skewness"] > 2 > 0.6 > near["skewness"]
    assert far["never"] > 40 and near["never"] == 0


def test_mutual_proximity_by_hand_and_against_hubs():
    found = neighbours.mutual_proximity(NEAR)
    # 0 sees 1 before 2 and 3: two of three lie below, and so does 1 see 0.
    assert found[0, 1] == pytest.approx(2 / 3 * 2 / 3)
    assert found[0, 3] == 0 and (np.diag(found) == 1).all()
    assert (found == found.T).all()
    _, near = minus_distances(200, 60)
    before, after = (
        neighbours.hubness(neighbours.nearest(s, 5), 200)["never"]
        for s in (near, neighbours.mutual_proximity(near))
    )
    assert after < before / 2


def test_tsne_keeps_groups_together():
    groups = np.repeat([0, 1], 20)
    vectors = np.eye(2)[groups] + np.random.default_rng(0).normal(0, 0.02, (40, 2))
    points = neighbours.tsne(vectors, perplexity=8)
    drawn = neighbours.nearest(-((points[:, None] - points) ** 2).sum(axis=-1), 3)
    assert points.shape == (40, 2) and (groups[drawn] == groups[:, None]).all()
    with pytest.raises(ValueError, match="40"):
        neighbours.tsne(vectors, perplexity=40)


def test_playlist_near_varied_and_by_other_artists():
    assert neighbours.playlist(NEAR, 0, 4) == [0, 1, 2, 3]
    # 0.4 of nearness is worth less than 0.6 of being like the clip before
    assert neighbours.playlist(NEAR, 0, 3, variety=0.6) == [0, 1, 3]
    assert neighbours.playlist(NEAR, 0, 3, groups=ARTISTS) == [0, 2, 3]
    near = np.eye(4)
    near[0] = near[:, 0] = 1, 0.9, 0.8, 0.1
    # To be like the first clip is no fault: 0.4 * 0.8 is more than 0.4 * 0.1.
    assert neighbours.playlist(near, 0, 3, variety=0.6) == [0, 1, 2]
    with pytest.raises(ValueError, match="3 clips"):
        neighbours.playlist(NEAR, 0, 4, groups=ARTISTS)
    with pytest.raises(ValueError, match="1"):
        neighbours.playlist(NEAR, 0, 2, variety=1)


def test_walk_goes_from_end_to_end():
    assert neighbours.walk(NEAR, 0, 3, 4) == [0, 1, 2, 3]
    assert neighbours.walk(NEAR, 3, 0, 3) == [3, 2, 0]
    assert neighbours.walk(NEAR, 0, 3, 3) == [0, 2, 3], "half-way, not nearest to one"
    assert neighbours.walk(NEAR, 0, 3, 2) == [0, 3]
    assert neighbours.walk(NEAR, 1, 3, 3, ARTISTS) == [1, 2, 3], "not the artist's own"
    with pytest.raises(ValueError, match="n is 1"):
        neighbours.walk(NEAR, 0, 3, 1)


def points_of(view):
    """Each button of a map: its name, its place in %, whether Tab reaches it."""
    found = re.findall(
        r'tabindex="(-?\d)" aria-label="play ([^"]*)" .*?left:([\d.]+)%;top:([\d.]+)%',
        view.html,
    )
    return [(name, float(x), float(y), int(tab)) for tab, name, x, y in found]


def test_clip_map_puts_a_button_on_each_point(tones):
    ids = tones.clips.index[:3]
    view = widgets.clip_map(tones, ids, np.array([[2, 0], [0, 0], [1, 5]]), seconds=1)
    names, x, y, tabs = zip(*points_of(view), strict=True)
    places = [name.split("clip ")[1].split(")")[0] for name in names]
    assert places == [str(ids[i]) for i in (1, 2, 0)], "from left to right"
    assert names[0].endswith("the crowd named: high"), "and what the crowd named"
    assert x[0] < x[1] < x[2] and y[0] == y[2] > y[1], "downwards on the screen"
    assert tabs == (0, -1, -1), "one stop for Tab, arrows from there"
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.02)
    assert len(set(re.findall(r'data-sound="([^"]+)"', view.html))) == 3
    assert 'alt="Map of 3 clips' in view.html and view.html.count("<audio") == 1


def test_buttons_lie_on_the_marks_of_the_picture(tones, monkeypatch):
    """Draw the points in red, find them in the picture, and compare."""
    pictures = []

    def keep(ax):
        ax.collections[0].set_color("#ff0000")
        pictures.append(to_png(ax))
        return pictures[-1]

    to_png = plots.to_png
    monkeypatch.setattr(maps.plots, "to_png", keep)
    places = np.array([[0, 0], [3, 1], [1, 4]])
    view = widgets.clip_map(tones, tones.clips.index[:3], places, seconds=1)
    pixels = np.asarray(Image.open(io.BytesIO(pictures[0])).convert("RGB")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1:] < 80).all(axis=-1)
    height, width = red.shape
    for _, x, y, _ in points_of(view):
        row, column = round(y / 100 * height), round(x / 100 * width)
        assert red[row - 1 : row + 2, column - 1 : column + 2].any(), "beside its mark"


def test_clip_map_leaves_out_what_cannot_be_read(tones):
    ids = tones.clips.index[:2]
    tones.path(ids[0]).write_bytes(b"")
    view = widgets.clip_map(tones, ids, np.eye(2), seconds=1)
    assert repr(view) == "Clip map: 2 clips, 1 play" and len(points_of(view)) == 1
    tones.path(ids[1]).write_bytes(b"")
    with pytest.raises(ValueError, match="none of the 2 clips"):
        widgets.clip_map(tones, ids, np.eye(2))


def test_names_with_markup_stay_text(tones):
    tones.clips["title"] = '<b>"x"</b> onclick'
    view = widgets.clip_map(tones, tones.clips.index[:1], np.zeros((1, 2)), seconds=1)
    listed = widgets.clip_list(tones, tones.clips.index[:1], ["<i>"], seconds=1)
    for page in (view.html, listed.html):
        assert "<b>&quot;" not in page and '<b>"x"' not in page
    assert "&lt;i&gt;" in listed.html


def test_clip_list_plays_one_after_the_other(tones):
    ids = tones.clips.index[:2]
    view = widgets.clip_list(tones, ids, ["near", ""], seconds=1, title="Two")
    assert view.html.count("<audio") == view.html.count("onended") == 2
    assert "(near)" in view.html and f"clip {ids[1]}" in view.html
    assert "<i>low</i>" in view.html, "what the crowd named"
    with pytest.raises(ValueError, match="1 notes for 2 clips"):
        widgets.clip_list(tones, ids, ["near"])
    with pytest.raises(ValueError, match="is not in"):
        widgets.clip_list(tones, [999])
    tones.path(ids[0]).write_bytes(b"")
    assert widgets.clip_list(tones, ids, seconds=1).html.count("<audio") == 1


def test_playlist_maker_asks_again_when_a_control_moves(tones):
    asked = []

    def choose(first, variety):
        asked.append((first, round(variety, 1)))
        return [first, 7]

    ids = tones.clips.index
    view = widgets.playlist_maker(tones, ids, choose, first=2, seconds=1)
    assert f"clip {ids[2]}" in view.html and f"clip {ids[7]}" in view.html
    view.parts["first"].value = 4
    assert f"clip {ids[4]}" in view.parts["clips"].value
    view.parts["variety"].value = 0.6
    assert asked == [(2, 0.3), (4, 0.3), (4, 0.6)]
