"""Neighbours, their pictures and widgets: by hand-computed values on small examples."""

import html
import json
import re
import sys

import numpy as np
import pytest

from tagkit import widgets
from tagkit.data import corpus
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


def clustered(n_clusters, size, n_dims):
    """Clips in tight clusters, far from 0."""
    random = np.random.default_rng(0)
    centres = np.repeat(random.normal(size=(n_clusters, n_dims)), size, axis=0)
    return 1000 + centres + 0.1 * random.normal(size=centres.shape)


@pytest.mark.parametrize("exact", [None, False])
@pytest.mark.parametrize("grouped", [False, True])
def test_search_finds_what_nearest_finds(exact, grouped, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 2**18)  # so that it takes several
    vectors = clustered(20, 100, 8)
    groups = np.maximum(np.arange(2000) // 10, 30) if grouped else None
    similarities = neighbours.similarity(vectors)
    expected = neighbours.nearest(similarities, 5, groups)
    found = neighbours.search(vectors, 5, groups, exact=exact)
    if exact is None:
        pair = [np.take_along_axis(similarities, x, axis=1) for x in (found, expected)]
        np.testing.assert_allclose(*pair, atol=1e-4)
    else:  # it looks into 8 of 45 clusters
        share = [np.isin(a, b).mean() for a, b in zip(found, expected, strict=True)]
        assert np.mean(share) > 0.95
    if grouped:
        assert (groups[found] != groups[:, None]).all()
    some = neighbours.search(vectors, 5, groups, queries=[1999, 3], exact=exact)
    np.testing.assert_array_equal(some, found[[1999, 3]])
    assert (found == expected).mean() > 0.9


@pytest.mark.parametrize("k", [10, 600])
def test_search_looks_at_all_where_the_clusters_hold_too_few(k):
    vectors, groups = clustered(5, 400, 16), np.arange(2000) // 400
    found = neighbours.search(vectors, k, groups, exact=False)
    assert found.min() >= 0
    assert (groups[found] != groups[:, None]).all()


def test_search_lets_faiss_look_where_clips_are_many(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    vectors = clustered(20, 100, 8)
    neighbours.search(vectors, 5)
    monkeypatch.setattr(neighbours, "EXACT", 1999)
    with pytest.raises(ImportError, match=r"\.\[large\]"):
        neighbours.search(vectors, 5)
    neighbours.search(vectors, 5, np.arange(2000) // 400)  # groups are large
    neighbours.search(vectors, 5, exact=True)


def test_search_refuses_as_nearest_does():
    for k in (0, 3):
        with pytest.raises(ValueError, match="needed is 1 to 2"):
            neighbours.search(VECTORS, k, ARTISTS)


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


def test_terms_are_those_of_the_playlist():
    found = neighbours.terms(NEAR, [0, 2, 1])
    np.testing.assert_allclose(found, [[NEAR[0, 2], np.nan], [NEAR[0, 1], NEAR[1, 2]]])
    chosen = neighbours.playlist(NEAR, 0, 4, variety=0.6)
    for n in (2, 3):  # each had the largest worth of those that were free
        near, like = neighbours.terms(NEAR, chosen)[n - 1]
        worth = 0.4 * near - 0.6 * like
        for other in set(range(4)) - set(chosen[:n]):
            near, like = neighbours.terms(NEAR, [*chosen[:n], other])[-1]
            assert worth >= 0.4 * near - 0.6 * like


def test_feedback_is_the_query_moved():
    vectors = np.random.default_rng(6).normal(size=(40, 8))
    centred = vectors - vectors.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    moved = units[3] + 0.75 * units[[5, 9]].mean(axis=0) - 0.15 * units[20]
    order = np.argsort(-units @ moved)
    order = [i for i in order if i not in (3, 5, 9, 20)]
    near = neighbours.similarity(vectors)
    assert neighbours.feedback(near, 3, [5, 9], [20], n=7) == order[:7]
    plain = neighbours.nearest(near, 4)[3].tolist()
    assert neighbours.feedback(near, 3, [], [], n=4) == plain


def test_feedback_hears_no_artist_again():
    artists = ["ann", "ann", "bob", "cid", "cid"]
    near = np.eye(5)
    near[0] = 1, 0.9, 0.5, 0.4, 0.3
    assert neighbours.feedback(near, 0, [2], [], n=1) == [1]
    assert neighbours.feedback(near, 0, [2], [], n=1, groups=artists) == [3]
    with pytest.raises(ValueError, match="other is free"):
        neighbours.feedback(near, 0, [2], [], n=2, groups=artists)


def data_of(view):
    """What the script of a map reads."""
    return json.loads(html.unescape(re.search(r'data-map="([^"]+)"', view.html)[1]))


def marks_of(view):
    """Each mark of a map: its clip's place, its name, x, y, whether Tab reaches it."""
    found = re.findall(
        r'tabindex="(-?\d)" data-clip="(\d+)" aria-label="play ([^"]*)" '
        r'x="([\d.]+)" y="([\d.]+)"',
        view.html,
    )
    return [(int(i), name, float(x), float(y), int(t)) for t, i, name, x, y in found]


def test_clip_map_puts_a_mark_on_each_point(tones):
    ids = tones.clips.index[:3]
    view = widgets.clip_map(tones, ids, np.array([[2, 0], [0, 0], [1, 5]]), seconds=1)
    places, names, x, y, tabs = zip(*marks_of(view), strict=True)
    assert places == (1, 2, 0), "from left to right"
    assert names[0] == f"t, by artist 1 (clip {ids[1]})"
    assert x[0] < x[1] < x[2] and y[0] == y[2] > y[1], "downwards on the screen"
    assert tabs == (0, -1, -1), "one stop for Tab, arrows from there"
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    data = data_of(view)
    assert data["about"][1].endswith("the crowd named: high"), "in the order of ids"
    assert len(set(data["sounds"])) == 3
    assert 'alt="Map of 3 clips' in view.html and view.html.count("<audio") == 1


def test_clip_map_colours_and_leads_to_neighbours(tones):
    ids = tones.clips.index[:3]
    kinds = {"tag": ["low", "", "low"], "artist": list("abc")}
    lists = np.array([[1, 2], [0, 2], [0, 1]])
    view = widgets.clip_map(tones, ids, np.eye(3)[:, :2], kinds, lists, seconds=1)
    data = data_of(view)
    assert data["lists"] == lists.tolist()
    tag, artist = data["kinds"]
    assert tag == {"words": ["low"], "of": [0, -1, 0]}
    assert artist == {"words": ["a", "b", "c"], "of": [0, 1, 2]}
    assert "<option value=0>tag</option><option value=1>artist" in view.html
    assert "low 2, none of these 1" in view.html, "the picture has the first way"
    many = [f"word {i % 9}" for i in range(12)]
    words, kept, numbers = maps._way(many)
    assert len(words) == 7 and {"word 0", "word 1", "word 2"} < set(words)
    assert kept.count("") == numbers.count(-1) == 2


def test_clip_map_says_what_cannot_be_read(tones):
    ids = tones.clips.index[:2]
    tones.path(ids[0]).write_bytes(b"")
    view = widgets.clip_map(tones, ids, np.eye(2), seconds=1)
    assert repr(view) == "Clip map: 2 clips, 1 play"
    assert [bool(sound) for sound in data_of(view)["sounds"]] == [False, True]
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


def test_recorded_music_is_credited_and_untagged_music_has_no_crowd():
    recorded = corpus.open("recorded")
    listed = widgets.clip_list(recorded, [8], seconds=1)
    mapped = widgets.clip_map(recorded, [8], np.zeros((1, 2)), seconds=1)
    for words in (listed.html, data_of(mapped)["about"][0]):
        assert "CC BY 3.0" in words and "crowd" not in words


def test_clip_list_plays_one_after_the_other(tones):
    ids = tones.clips.index[:2]
    view = widgets.clip_list(tones, ids, ["near", ""], seconds=1, title="Two")
    assert view.html.count("<audio") == view.html.count("onended") == 2
    assert "<b>near</b>" in view.html and f"clip {ids[1]}" in view.html
    assert "<i>low</i>" in view.html, "what the crowd named"
    with pytest.raises(ValueError, match="1 notes for 2 clips"):
        widgets.clip_list(tones, ids, ["near"])
    with pytest.raises(ValueError, match="is not in"):
        widgets.clip_list(tones, [999])
    tones.path(ids[0]).write_bytes(b"")
    assert widgets.clip_list(tones, ids, seconds=1).html.count("<audio") == 1


def test_playlist_maker_asks_again_when_a_control_moves(tones):
    ids = tones.clips.index
    near = np.eye(8)
    near[0] = near[:, 0] = 1, 0.9, 0.8, 0.1, 0, 0, 0, 0
    near[1, 2] = near[2, 1] = 0.9
    view = widgets.playlist_maker(tones, ids, near, n=3, variety=0, seconds=1)

    def listed():
        return [
            int(i) for i in re.findall(r"\(clip (\d+)\)", view.parts["clips"].value)
        ]

    assert listed() == [*ids[:3]] and f"clip {ids[2]}" in view.html
    assert "to the first 0.80, to the others 0.90" in view.html
    view.parts["variety"].value = 0.5
    assert listed() == [ids[0], ids[1], ids[3]]
    view.parts["first"].value = 2
    assert listed()[0] == ids[2]


def test_radio_goes_on_by_what_was_skipped(tones):
    ids = tones.clips.index
    near = np.eye(8)
    near[0, 1:] = 0.9, 0.8, 0.1, 0.05, 0, 0, 0
    near[1, 4] = near[2, 3] = 1
    view = widgets.radio(tones, ids, near, n=2, seconds=1)
    rows = view.parts["rows"]

    def listed():
        return [int(re.search(r"\(clip (\d+)", row.children[0].value)[1])
                for row in rows.children]  # fmt: skip

    assert listed() == [*ids[1:3]] and "2 clips like clip" in repr(view)
    rows.children[1].children[1].value = True
    view.parts["next"].click()
    assert listed()[0] == ids[4], "like the clip that was kept"
    assert "1 kept, 1 skipped" in view.parts["said"].value
    for _ in range(3):
        view.parts["next"].click()
    assert "No other clips" in view.parts["said"].value and not rows.children
    view.parts["first"].value = 1
    assert listed()[0] == ids[4] and "Like t" in view.parts["said"].value
