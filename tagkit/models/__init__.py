"""The models: from samples (batch, n_samples) to logits (batch, n_tags)."""

import difflib
import inspect
from typing import NamedTuple

from torch import nn

from tagkit.models.choi import K1C2, K2C1, K2C2
from tagkit.models.crnn import CRNN, CRNNTF, CRNNAttention, CRNNOverBatch
from tagkit.models.dieleman import DielemanMel, DielemanRaw, RoyBase, RoyImproved
from tagkit.models.pons import Musicnn, PonsSpectrogram, PonsWaveform
from tagkit.models.samplecnn import ReSE2Multi, SampleCNN
from tagkit.models.shortchunk import ShortChunkCNN
from tagkit.models.tagger import Tagger
from tagkit.models.walk import shapes, walk


class Entry(NamedTuple):
    """A row of MODELS: class, paper, number of parameters with 50 tags."""

    cls: type[Tagger]
    paper: str
    parameters: int


MODELS = {
    "DielemanRaw": Entry(DielemanRaw, "Dieleman & Schrauwen 2014", 55_422),
    "DielemanMel": Entry(DielemanMel, "Dieleman & Schrauwen 2014", 71_774),
    "RoyBase": Entry(RoyBase, "Roy, Bristol", 17_119),
    "RoyImproved": Entry(RoyImproved, "Roy, Bristol", 2_845_470),
    "SampleCNN": Entry(SampleCNN, "Lee et al. 2017", 1_869_874),
    "ReSE2Multi": Entry(ReSE2Multi, "Kim et al. 2018", 6_301_746),
    "PonsWaveform": Entry(PonsWaveform, "Pons et al. 2018, Weber 2019", 5_377_082),
    "PonsSpectrogram": Entry(PonsSpectrogram, "Pons et al. 2018", 5_924_154),
    "Musicnn": Entry(Musicnn, "Pons & Serra 2019", 787_159),
    "K2C1": Entry(K2C1, "Choi et al. 2017, Wells 2018", 1_278_826),
    "K1C2": Entry(K1C2, "Choi et al. 2017, Wells 2018", 944_251),
    "K2C2": Entry(K2C2, "Choi et al. 2017, Wells 2018", 1_003_828),
    "CRNN": Entry(CRNN, "Choi et al. 2017, Elwood & Varosyan", 394_098),
    "CRNNAttention": Entry(CRNNAttention, "proposed by Wells 2018", 395_186),
    "CRNNTF": Entry(CRNNTF, "Wang et al. 2019", 507_826),
    "ShortChunkCNN": Entry(ShortChunkCNN, "Won et al. 2020", 3_687_348),
}
__all__ = [*MODELS, "CRNNOverBatch", "MODELS", "Tagger", "build", "count_parameters"]
__all__ += ["shapes", "walk"]


def build(name: str, **arguments) -> Tagger:
    """Build a model by its name in MODELS.

    Raises: ValueError for an unknown name or argument; it names the nearest ones.

    >>> count_parameters(build("DielemanRaw", n_tags=50))
    55422
    """
    if name not in MODELS:
        lower = {model.lower(): model for model in MODELS}
        near = difflib.get_close_matches(name.lower(), lower, 3, 0.4) or lower
        names = ", ".join(lower[n] for n in near)
        raise ValueError(f"model {name!r} is unknown; the nearest names are {names}")
    allowed = inspect.signature(MODELS[name].cls).parameters
    for argument in arguments:
        if argument not in allowed:
            near = difflib.get_close_matches(argument, allowed, 2, 0.4) or allowed
            raise ValueError(
                f"{name} has no argument {argument!r}; the nearest are "
                f"{', '.join(near)}"
            )
    return MODELS[name].cls(**arguments)


def count_parameters(model: nn.Module) -> int:
    """Count the parameters that training can change.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
