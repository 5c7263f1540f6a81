"""A corpus: two tables and a folder of sound, in MagnaTagATune's own layout.

Notebook: course/00_start_here.ipynb
"""

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from tagkit.data import annotations, audio, folders, tags
from tagkit.data import labels as own_labels
from tagkit.files import expand

SHIPPED = Path(__file__).parents[2] / "data"  # what comes with the project
DATA = expand(os.environ.get("TAGKIT_DATA") or SHIPPED)  # yours: magnatagatune, cache
NAMED = ("mini", "recorded", "magnatagatune")
VERSIONS = ("full", "clean", "artist", "clean artist")  # of a split

# These three mp3 files of MagnaTagATune have 0 bytes in every copy of it.
EMPTY_CLIPS = {
    35644: "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    55753: "8/jacob_heringman-josquin_des_prez_lute_settings-19-"
    "gintzler__pater_noster-204-233.mp3",
    57881: "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-"
    "le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
}


@dataclass(frozen=True, repr=False)
class Corpus:
    """The tables and the sound of one corpus; `corpus.open` makes it.

    Attributes:
        name: "mini", "recorded", "magnatagatune" or the folder's name.
        root: the folder that holds tables and sound.
        annotations: labels of every annotated clip, (n_annotated, n_tags) uint8,
            including those whose sound is known to be missing.
        clips: a row per usable clip, as `annotations.read_clip_info` gives it.
    """

    name: str
    root: Path
    annotations: pd.DataFrame
    clips: pd.DataFrame

    @property
    def key(self) -> str:
        """A name that no other folder has, for what is kept in data/cache."""
        if self.name in NAMED and self.root == home(self.name):
            return self.name
        return f"{self.name}-{_digest(str(self.root.resolve()))[:6]}"

    def __repr__(self):
        n_clips, n_tags = len(self.clips), self.annotations.shape[1]
        return f"Corpus({self.name!r}: {n_clips} clips, {n_tags} tags)"

    def labels(self, tag_list: str | list[str] = "raw50") -> pd.DataFrame:
        """Give the labels of all usable clips for a tag list of `tags.choose`.

        The 50 most frequent tags are counted over all annotated clips, test
        folders included, as every paper does.

        Shape: (n_clips, n_tags) uint8, index clip_id, columns in the list's order.
        Raises: ValueError for unknown tags, or a folder without tables.
        """
        if self.annotations.shape[1] == 0 and self.name == "recorded":
            raise ValueError(
                "recorded has no tags: nobody has labelled its pieces, you do; needed "
                "is a table of your own, a row per clip id and a column per tag"
            )
        if self.annotations.shape[1] == 0:
            raise ValueError(
                f"{self.name} has no tags; to train or score on it, put a table "
                "labels.csv into its folder, with a row such as one.mp3,rock;slow "
                "below the row file,tags; or take them from its folders or the files' "
                "own genres: --labels folders or --labels genre, in Python "
                "labels='folders' or labels='genre'"
            )
        return tags.choose(self.annotations, tag_list).loc[self.clips.index]

    def split(self, tag_list="raw50", version: str = "full") -> pd.Series:
        """Give the part of each clip: "train", "valid" or "test", 12:1:3.

        Args:
            version: "full" splits by folder, as every paper does; "artist" puts each
                artist into one part; "clean" and "clean artist" leave out the clips
                that have no tag of the list. Scores on different versions do not
                compare: their test clips differ.

        Only clips that lie as MagnaTagATune's do, 0/track-start-end.mp3 to f/..., are
        split by folder; all others by artist.

        Shape: (n_clips,), index clip_id, named after the version that was used.
        Raises: ValueError for an unknown version, or too few artists.
        """
        if version not in VERSIONS:
            raise ValueError(
                f"split version {version!r} is unknown; needed is one of {VERSIONS}"
            )
        paths, artists = self.clips["mp3_path"], self.clips["artist"]
        is_cut = paths.str.match(r"[0-9a-f]/[^/]*-\d+-\d+\.\w+$")
        if not (is_cut & (self.clips["segmentEnd"] > 0)).all():
            version = {"full": "artist", "clean": "clean artist"}.get(version, version)
            artists = artists.map(_digest)  # names in order often go by kind
        lost, n_artists = self.clips.attrs.get("lost"), artists.nunique()
        if lost and n_artists < 3 and "artist" in version:
            raise ValueError(
                f"{lost}; the rest is by {n_artists} artists or of as many folders, "
                "and three are needed; name each file as it lies below the folder"
            )
        if "artist" in version:
            split = tags.group_split(artists)
        else:
            split = tags.folder_split(paths)
        if "clean" in version:
            split = split[self.labels(tag_list).any(axis=1)]
        return split.rename(version)

    def path(self, clip_id: int) -> Path:
        """Give the file of a clip.

        Raises: ValueError for an unknown clip.
        """
        if clip_id not in self.clips.index:
            raise ValueError(
                f"clip {clip_id!r} is not in {self.name}; its clips are "
                f"{self.clips.index[0]} ... {self.clips.index[-1]}"
            )
        return self.root / self.clips.at[clip_id, "mp3_path"]

    def load(self, clip_id: int, sample_rate: int = audio.SAMPLE_RATE) -> np.ndarray:
        """Decode one clip. Shape: (n_samples,) float32 in [-1, 1]; rate in Hz."""
        return audio.load(self.path(clip_id), sample_rate)

    def credit(self, clip_id: int) -> str:
        """Name title and artist, for recorded music also licence, source and change.

        What a licence asks to stand beside every player of a clip.

        >>> open("recorded").credit(8)
        'Vibe Ace by Kevin MacLeod, CC BY 3.0 (https://...), librosa 0.7.2, excerpt'
        """
        clip = self.clips.loc[clip_id]
        credit = f"{clip.title} by {clip.artist}"
        if clip.artist in ("", clip.mp3_path):  # not known
            credit = clip.title
        if "licence" not in self.clips:
            return credit
        licence = f"{clip.licence} ({clip.licence_url})"
        return f"{credit}, {licence}, {clip.package} {clip.version}, excerpt"

    @cached_property
    def truth(self) -> pd.DataFrame | None:
        """What each clip really contains, where that is known (mini's truth.csv).

        Shape: as `annotations`, or None for a corpus of recorded music.
        """
        path = self.root / "truth.csv"
        return annotations.read(path).iloc[:, :-1] if path.exists() else None

    def describe(self, tag_list="raw50", version: str = "full") -> pd.DataFrame:
        """Describe the three parts of a split, with the floors of their scores.

        `positive_rate`, the share of ones among the labels, is the average precision
        of equal scores for all clips. `nothing_right` is the accuracy of predicting
        no tag at all.

        Shape: rows train, valid, test; columns clips, tracks, albums, artists,
        positive_rate, nothing_right, fewest_positives (of any tag).
        """
        labels, split = self.labels(tag_list), self.split(tag_list, version)
        rows = {}
        for part in ("train", "valid", "test"):
            ids = split.index[split == part]
            info, ones = self.clips.loc[ids], labels.loc[ids]
            rate = ones.to_numpy().mean()
            rows[part] = {
                "clips": len(ids),
                "tracks": track_names(info).nunique(),
                "albums": (info["artist"] + info["album"]).nunique(),
                "artists": info["artist"].nunique(),
                "positive_rate": round(rate, 4),
                "nothing_right": round(1 - rate, 4),
                "fewest_positives": int(ones.sum().min()),
            }
        return pd.DataFrame.from_dict(rows, orient="index")


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def track_names(clips: pd.DataFrame) -> pd.Series:
    """Name the track of each clip: the path without seconds and suffix at its end.

    Shape: (n_clips, columns) -> (n_clips,) text.
    Notebook: course/01_dataset_analysis.ipynb
    """
    return clips["mp3_path"].str.replace(r"(-\d+-\d+)?\.\w+$", "", regex=True)


def draw_share(clips: pd.DataFrame, share: float, *, seed: int = 0) -> pd.Index:
    """Draw a share of clips, track by track; it includes every smaller share.

    Clips of a track stay together, since a second clip of a known track adds little.
    Only the last track that is drawn may lose some.

    Shape: (n_clips, columns) -> (share * n_clips,) clip ids, in the order of the table.
    Raises: ValueError for a share out of 0 ... 1, or one that leaves no clip.

    >>> clips = open("mini").clips
    >>> half, few = draw_share(clips, 0.5), draw_share(clips, 0.125)
    >>> len(half), len(few), few.isin(half).all()
    (240, 60, np.True_)
    """
    n = round(share * len(clips)) if 0 < share <= 1 else 0
    if n < 1:
        raise ValueError(
            f"share is {share:g}; needed is one above 0 and at most 1 that leaves "
            f"some of {len(clips)} clips, such as 0.125"
        )
    names = track_names(clips)
    tracks = np.random.default_rng(seed).permutation(sorted(names.unique()))
    order = pd.Series(range(len(tracks)), tracks)[names].to_numpy()
    drawn = np.argsort(order, kind="stable")[:n]
    return clips.index[np.sort(drawn)]


def home(name: str) -> Path:
    """Give the folder of a corpus of NAMED: shipped, or for magnatagatune yours."""
    return (DATA if name == "magnatagatune" else SHIPPED) / name


def open(
    name: str | Path, *, folder: str | Path | None = None, labels: str | None = None
) -> Corpus:
    """Open a corpus: "mini", "recorded", "magnatagatune", or music of your own.

    A folder with annotations_final.csv and clip_info_final.csv (or .csv.gz) is read
    as MagnaTagATune is. A table such as labels.csv, with a file and its tags in each
    row, is read by `labels.read`, also if the folder that is named holds one. A folder
    without tables is a corpus without tags: a clip per sound file, whose artist and
    album are the two uppermost folders on its path, see `folders.search`. A segmentEnd
    of 0 means the whole file. "recorded" has no tags either; its clips have columns of
    their own: licence, package, path, words and more. No sound is decoded.

    Args:
        folder: where the files of a table are; default the table's own folder.
        labels: where a folder's tags come from, whatever tables lie in it: "folders",
            the uppermost folder on a file's path is its tag; "genre", what the files
            themselves name. A file without a tag is left out.

    Raises: ValueError for an unknown name, or if a table is missing or the two do not
    fit together.
    Warns: of each row of a table of labels that cannot be used, of tags that are read
    in another spelling, of what is left out, and of folders and links that cannot be
    read.

    >>> open("mini")
    Corpus('mini': 480 clips, 64 tags)
    """
    is_named = str(name) in NAMED
    root = home(str(name)) if is_named else expand(name)
    folder = folder and expand(folder)
    if folder is not None and not folder.is_dir():
        kind = "is a file" if folder.is_file() else "is not there"
        raise ValueError(
            f"{folder} {kind}; needed is the folder that holds the music of {name}"
        )
    if labels and (is_named or root.is_file()):
        raise ValueError(
            f"labels={labels!r} is for a folder of music; {str(name)!r} has its own"
        )
    if root.is_file():
        title = f"own {root.stem}" if root.stem in NAMED else root.stem
        return _labelled(title, root, own_labels.read(root, folder))
    if not root.is_dir():
        raise ValueError(
            f"there is no corpus, folder or table {str(name)!r}; needed is 'mini', "
            "'recorded', 'magnatagatune' (once downloaded), a folder, or a table of "
            "labels"
        )
    title = str(name) if is_named else root.resolve().name
    if title in NAMED and root.resolve() != home(title).resolve():
        title = f"own {title}"  # scores on it are not scores on that one
    if title == "recorded":
        clips = _pieces_as_clips(root)
        return Corpus(title, root, pd.DataFrame(index=clips.index), clips)
    if labels:
        files = _sounds(root).files
        return _labelled(title, root, own_labels.of_files(root, files, labels))
    labels_path = _table(root, "annotations_final.csv")
    info_path = _table(root, "clip_info_final.csv")
    is_downloading = any(root.glob("*.part"))
    if not (labels_path or info_path or is_named or is_downloading):
        if table := own_labels.find(root):
            return _labelled(title, table, own_labels.read(table, folder))
        clips = _files_as_clips(root)
        return Corpus(title, root, pd.DataFrame(index=clips.index), clips)
    if not (labels_path and info_path):
        missing = "clip_info" if labels_path else "annotations"
        raise ValueError(
            f"{root} has no {missing}_final.csv; needed are annotations_final.csv, "
            "clip_info_final.csv and the sound that they name"
        )
    table = annotations.read(labels_path)
    info = annotations.read_clip_info(info_path)
    info = info.reindex(table.index)
    differ = info["mp3_path"] != table["mp3_path"]
    if differ.any():
        raise ValueError(
            f"{root}: annotations_final.csv and clip_info_final.csv do not give clip "
            f"{differ.idxmax()} the same file; get both from the same place"
        )
    empty = info["mp3_path"].isin(EMPTY_CLIPS.values())
    return Corpus(title, root, table.iloc[:, :-1], info[~empty])


def _labelled(title: str, source: Path, found) -> Corpus:
    """Make a corpus of labels that were found, and warn of what is odd in them."""
    given, clips, root, remarks = found
    if remarks:
        warnings.warn(f"{source}{own_labels.listed(remarks)}", stacklevel=3)
    return Corpus(title, root, given, clips)


def _table(root: Path, name: str) -> Path | None:
    for path in (root / name, root / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _pieces_as_clips(root: Path) -> pd.DataFrame:
    """Make a table of clips from recorded.csv, with its columns and MagnaTagATune's."""
    pieces = pd.read_csv(root / "recorded.csv", keep_default_na=False)
    pieces = pieces.set_index("clip_id")
    start = pieces.pop("start")
    blank = {"track_number": 0, "album": "", "url": "", "original_url": ""}
    return pieces.assign(segmentStart=start, segmentEnd=start + 29, **blank)


def _sounds(root: Path) -> folders.Found:
    """Search the folder of a corpus for sound; raises ValueError if there is none."""
    found = folders.search([root])
    for text in found.unread:
        warnings.warn(text, folders.UnreadWarning, stacklevel=3)
    if found.files:
        return found
    raise ValueError(
        f"{root} has no annotations_final.csv and clip_info_final.csv, and no "
        "sound; needed is one of the two"
    )


def _files_as_clips(root: Path) -> pd.DataFrame:
    """Make a table of clips from the sound files below a folder."""
    found = _sounds(root)
    paths = [path.relative_to(root) for path in found.files]
    clips = pd.DataFrame(
        {
            "track_number": 0,
            "title": [path.stem for path in paths],
            "artist": [path.parts[0] for path in paths],  # or the file itself
            "album": [path.parts[1] if len(path.parts) > 2 else "" for path in paths],
            "url": "",
            "segmentStart": 0,
            "segmentEnd": 0,
            "original_url": "",
            "mp3_path": [path.as_posix() for path in paths],
        },
        index=pd.RangeIndex(1, len(paths) + 1, name="clip_id"),
    )
    clips.attrs["n_other"] = found.n_other  # files that are no sound
    return clips
