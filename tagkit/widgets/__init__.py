"""Things to hear and to click: players, clip views, tag menus, guesses, quizzes.

page      View, and what all of them share
sound     player, clip_view
ask       tag_explorer, guess, quiz

Each function returns a `View`. In a live notebook it shows widgets; where notebooks
run with no front end (TAGKIT_STATIC=1), and wherever a saved notebook is read, it
shows the same content as HTML, which stays readable when a code host strips players
and styles. Nothing needs the network, and every text is escaped.
"""

from tagkit.widgets.ask import guess, quiz, tag_explorer
from tagkit.widgets.page import MAX_SECONDS, View
from tagkit.widgets.sound import clip_view, player

__all__ = [
    "MAX_SECONDS",
    "View",
    "clip_view",
    "guess",
    "player",
    "quiz",
    "tag_explorer",
]
