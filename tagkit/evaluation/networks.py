"""Which networks are there: their names and their files of weights, without PyTorch."""

from pathlib import Path

from tagkit.data import corpus


def shipped() -> list[str]:
    """Name the networks that come with the project, as `checkpoints.load` takes them.

    A folder with one network goes by the folder's name.

    >>> shipped()[:3]
    ['lastfm50', 'magnatagatune', 'mini/CRNN']
    """
    names = []
    for folder in sorted((corpus.SHIPPED / "checkpoints").iterdir()):
        stems = [path.stem for path in sorted(folder.glob("*.safetensors"))]
        inside = [f"{folder.name}/{stem}" for stem in stems]
        names += [folder.name] if len(stems) == 1 else inside
    return names


def find(network: str | Path) -> Path:
    """Give the file of a network: one of `shipped`, your own, or a run's folder.

    Raises: ValueError, naming what is there, if it is none of them.
    """
    for home in (corpus.SHIPPED / "checkpoints", Path()):
        inside = list((home / network).glob("*.safetensors"))
        named = home / network, home / f"{network}.safetensors"
        for path in (*named, *inside[: len(inside) == 1]):
            if path.is_file():
                return path
    raise ValueError(
        f"there is no network {str(network)!r}; needed is one of {', '.join(shipped())}"
        ", or a file such as best.safetensors in the folder of a run"
    )
