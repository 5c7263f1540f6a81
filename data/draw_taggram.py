"""Draw README's picture: what a network that knows recordings hears in an old record.

python data/draw_taggram.py
"""

import base64
import re
from pathlib import Path

from tagkit import widgets
from tagkit.data import corpus
from tagkit.training import checkpoints

PIECE = corpus.SHIPPED / "recorded" / "public-domain" / "caruso-ombra_mai_fu.mp3"


def main():
    """Write taggram.png beside this file, and print its alt text."""
    model, made = checkpoints.load("magnatagatune")
    page = widgets.taggram(PIECE, model, made["tags"]).html
    png, alt = re.search(r'png;base64,([^"]+)" alt="([^"]+)"', page).groups()
    Path(__file__).with_name("taggram.png").write_bytes(base64.b64decode(png))
    print(alt)


if __name__ == "__main__":
    main()
