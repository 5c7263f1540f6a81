"""Things to hear and to click: players, tag menus, quizzes, sliders, labelling.

page      View, and what all of them share
sound     player, clip_view
ask       tag_explorer, guess, quiz, predict
judge     threshold_slider, relabel
label     label
map       clip_map, clip_list, playlist_maker, radio
song      taggram, tag_upload

Each function returns a `View`. In a live notebook it shows widgets; where notebooks
run with no front end (TAGKIT_STATIC=1), and wherever a saved notebook is read, it
shows the same content as HTML, which stays readable when a code host strips players
and styles. Nothing needs the network, and every text is escaped.
"""

from tagkit.widgets.ask import guess, predict, quiz, tag_explorer
from tagkit.widgets.judge import relabel, threshold_slider
from tagkit.widgets.label import label
from tagkit.widgets.map import clip_list, clip_map, playlist_maker, radio
from tagkit.widgets.page import MAX_SECONDS, View
from tagkit.widgets.song import tag_upload, taggram
from tagkit.widgets.sound import clip_view, player

__all__ = [
    "MAX_SECONDS",
    "View",
    "clip_list",
    "clip_map",
    "clip_view",
    "guess",
    "label",
    "player",
    "playlist_maker",
    "predict",
    "quiz",
    "radio",
    "relabel",
    "tag_explorer",
    "tag_upload",
    "taggram",
    "threshold_slider",
]
