"""A trained network as a file that runs without PyTorch: ONNX."""

import copy
import io
import json
import warnings
from pathlib import Path

import torch
from torch import nn

from tagkit.files import write_atomically
from tagkit.models.tagger import Tagger

try:
    import onnx
    from google.protobuf.message import DecodeError  # what onnx itself reads with
except ImportError:
    raise ImportError(
        "export needs onnx: run pip install -e '.[export]' in the folder of the clone"
    ) from None


def is_onnx(path: str | Path) -> bool:
    """Say whether a file holds an ONNX network."""
    try:
        return bool(onnx.load(path).graph.node)
    except (OSError, ValueError, DecodeError):
        return False


def write(model: Tagger, path: str | Path, *, tags: list[str]):
    """Write a network as an ONNX file, from windows to scores.

    Input `samples`, (batch, n_samples) float32 in [-1, 1], any number of windows;
    output `scores`, (batch, n_tags) in [0, 1]. Its metadata are texts: tags (a JSON
    list), sample_rate (Hz), n_samples (of a window) and model (the name of its class).

    Raises: ValueError unless there is a tag for each of the model's outputs; OSError if
    the file cannot be written.
    """
    scorer = nn.Sequential(copy.deepcopy(model).cpu(), nn.Sigmoid()).eval()
    windows = torch.zeros(2, model.n_samples)
    with torch.inference_mode():
        n_outputs = scorer(windows).shape[1]
    if n_outputs != len(tags):
        raise ValueError(
            f"the model has {n_outputs} outputs, you gave {len(tags)} tags; use the "
            "list that it was trained on"
        )
    file = io.BytesIO()
    with warnings.catch_warnings():  # of the tracer, about checks of the shape
        warnings.simplefilter("ignore")
        # The newer exporter gives the same scores, and takes 18 times as long.
        torch.onnx.export(
            scorer,
            (windows,),
            file,
            input_names=["samples"],
            output_names=["scores"],
            dynamic_axes={"samples": {0: "batch"}, "scores": {0: "batch"}},
            dynamo=False,
        )
    network = onnx.load_from_string(file.getvalue())
    about = {
        "tags": json.dumps(list(tags)),
        "sample_rate": str(model.sample_rate),
        "n_samples": str(model.n_samples),
        "model": type(model).__name__,
    }
    onnx.helper.set_model_props(network, about)
    write_atomically(Path(path), network.SerializeToString())
