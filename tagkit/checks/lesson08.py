"""Lesson 08, the museum of silent bugs: exhibits 1, 2 and 6, networks.

Exhibits 3 to 5 stand in museum_sound.py, 7 to 11 in museum_data.py.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks import museum_data, museum_sound  # noqa: F401, for their tasks
from tagkit.checks.engine import NotTried, call, task
from tagkit.checks.museum import Still, array, named, refuse
from tagkit.checks.values import Wrong, number, short


@task(
    "8.1",
    "Exhibit 1: always right, never content",
    points=2,
    hints=(
        "What would the loss of this network have to be, when its logits grow for "
        "ever? Compute the loss by hand for a logit of 20 and label 1.",
        "Look up what `binary_cross_entropy_with_logits` does to its first argument, "
        "as its name says. What does it get here?",
        "Hand the logits to `functional.binary_cross_entropy_with_logits` as they are.",
    ),
    praise="The one-line test: `assert training_loss(torch.tensor([[20.0]]), "
    "torch.ones(1, 1)) < 0.01`. Who is right and sure of it must not be punished.",
)
def two_sigmoids(answer):
    repaired = named(
        answer,
        "b",
        {
            "a": "Then the loss would still be falling at the end. It stands still.",
            "c": "A layer too small could not decide every field rightly.",
            "d": "With the labels of other examples, few decisions would be right.",
        },
    )
    right = functional.binary_cross_entropy_with_logits

    def loss(logits, labels, seen, slips=(), otherwise="that is not the mean"):
        logits, labels = torch.tensor(logits), torch.tensor(labels)
        value = call(repaired, logits.requires_grad_(), labels)
        if not isinstance(value, torch.Tensor):
            raise Wrong(f"Your loss is a {type(value).__name__}; a tensor is needed.")
        if not value.requires_grad:
            raise Wrong("Your loss has no gradient: it left the tensors on the way.")
        if value.isnan().any():
            raise Wrong(f"{seen} your loss is nan: 0 times the logarithm of 0.")
        yours = number(value, "Your loss")
        best = float(right(logits, labels))
        refuse(yours, best, slips, f"{seen} your loss is {yours:.4f}", otherwise, 1e-3)

    ones = [[1.0, 0.0], [0.0, 1.0]]
    sure = [[20.0, -20.0], [-20.0, 20.0]]
    slips = [(0.5032, "a score was squashed a second time")]
    seen = "For logits of 20 and -20 that are all right"
    loss(sure, ones, seen, slips, "who is right and sure has nothing to pay")
    logits = [[0.5, -1.0, 2.0], [-3.0, 0.2, 1.0], [1.5, 0.1, -0.4], [0.0, -2.0, 0.3]]
    labels = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    x, y = torch.tensor(logits), torch.tensor(labels)
    slips = [
        (float(right(x.sigmoid(), y)), "a score was squashed a second time"),
        (float(right(x, y, reduction="sum")), "that is the sum, not the mean"),
        (float(right(x, y, reduction="sum")) / 4, "you divided by the clips only"),
        (float(functional.cross_entropy(x, y)), "a softmax lets one tag win"),
        (float((x.sigmoid() - y).square().mean()), "that is a squared error"),
        (float(right(x, 1 - y)), "0 and 1 are the wrong way round"),
    ]
    loss(logits, labels, "For four clips and three tags", slips)
    slips = [(50.0, "the score was rounded to 1 before the logarithm was taken")]
    slips += [(np.inf, slips[0][1])]
    loss(
        sure,
        [[1.0, 0.0], [0.0, 0.0]],
        "For one sure mistake in four",
        [(25, slips[0][1])],
    )


class _Mode(Still):
    """Batch norm and dropout, whose scores depend on the mode."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
        )

    def forward(self, batch):
        return self.layers(batch)


@task(
    "8.2",
    "Exhibit 2: a clip and its neighbours",
    points=2,
    hints=(
        "Which layers look at the other clips of a batch? Print the network.",
        "A network has two modes. `network.training` tells in which it is, and a new "
        "network, such as `models.build` gives it, is in the mode for training.",
        "`was = network.training`, `network.eval()`, compute the scores, then "
        "`network.train(was)`, and return the scores.",
    ),
    praise="The one-line test: `assert torch.allclose(tag_clips(network, four)[:1], "
    "tag_clips(network, four[:1]), atol=1e-5)`.",
)
def no_eval(answer):
    repaired = named(
        answer,
        "a",
        {
            "b": "A gradient step needs an optimizer and a gradient. Here is neither.",
            "c": "The samples are the same array in all three rows.",
            "d": "Without it some scores would lie outside 0 and 1.",
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        network, batch = _Mode(), torch.randn(5, 6)
        network.layers[1].running_mean.normal_()
        with torch.no_grad():
            right = network.eval()(batch).sigmoid()
        network.train()
        before = {k: v.clone() for k, v in network.state_dict().items()}
        value = call(repaired, network, batch)
        if not isinstance(value, torch.Tensor) or value.requires_grad:
            raise Wrong(
                f"Your result is {short(value)}, with a gradient or no tensor; a "
                "tensor of scores without gradient is needed."
            )
        yours = array(value, (5, 3), "Your result")
        for name, old in before.items():
            if not torch.equal(old, network.state_dict()[name]):
                raise Wrong(
                    f"Your function changed `{name.split('.')[-1]}` of the network: "
                    "it still learns from the clips that it scores."
                )
        alone = array(call(repaired, network, batch[:1]), (1, 3), "Your result")
        again = array(call(repaired, network, batch), (5, 3), "Your result")
        if not np.allclose(again, yours, atol=1e-5):
            raise Wrong("Two calls on the same clips give different scores.")
        if not np.allclose(alone[0], yours[0], atol=1e-5):
            raise Wrong("A clip alone and the same clip among others differ.")
        slips = [(torch.logit(right).numpy(), "these are logits")]
        seen = f"Your first score is {yours[0, 0]:.4f}"
        refuse(yours, right.numpy(), slips, seen, "that is not what the network says")
        for training, mode in ((True, "for training"), (False, "for evaluation")):
            network.train(training)
            call(repaired, network, batch)
            modes = {layer.training for layer in network.modules()}
            if modes != {training}:
                raise Wrong(
                    f"The network came in the mode {mode} and left in the other one."
                )


@task(
    "8.6",
    "Exhibit 6: the order of the waiting",
    points=2,
    hints=(
        "The network has no batch norm and no dropout. What else can carry something "
        "from one clip to the next? Something with a memory.",
        "Which axis does `nn.GRU` take for time? `help(nn.GRU)` says what shape it "
        "wants, and which argument changes that.",
        "`nn.GRU(n_bands, n_units, batch_first=True)`; the last line can stay.",
    ),
    praise="The one-line test: `assert torch.allclose(network(x)[:1], network(x[:1]), "
    "atol=1e-6)`. It finds the missing `eval()` of exhibit 2 as well.",
)
def over_the_batch(answer):
    repaired = named(
        answer,
        "d",
        {
            "a": "There is no layer here that behaves otherwise in training.",
            "b": "Every new network starts with random weights. But these rows come "
            "from one network.",
            "c": "In the first two rows its frames are the same, but not its company.",
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        if getattr(repaired, "__init__", None) is nn.Module.__init__:
            raise NotTried("The bug is named. The class is still empty.")
        network = call(repaired, 6, 8, 3)
        if not isinstance(network, nn.Module):
            raise Wrong(f"You handed in {short(network)}; the class itself is needed.")
        frames = torch.randn(4, 5, 6)
        value = call(network, frames)
        if tuple(np.shape(value)) == (5, 3):
            raise Wrong(
                "For 4 clips of 5 frames yours gives logits of shape (5, 3): a row for "
                "each frame, where a row for each clip is needed."
            )
        yours = array(value, (4, 3), "For 4 clips of 5 frames your result")
        if not value.requires_grad:
            raise Wrong("Your logits have no gradient: nothing could be learned.")

        def logits(x):
            return array(call(network, x), (len(x), 3), "Your result")

        alone = logits(frames[3:])[0]
        if not np.allclose(alone, yours[3], atol=1e-5):
            raise Wrong(
                f"The last clip has the logit {alone[0]:.4f} alone and "
                f"{yours[3, 0]:.4f} among others."
            )
        turned = logits(frames.flip(0))[::-1]
        if not np.allclose(turned, yours, atol=1e-5):
            raise Wrong("In a batch turned round, clips get other logits.")
        for at, name in ((0, "first"), (-1, "last"), (2, "middle")):
            changed = frames.clone()
            changed[:, at] += 3
            if np.allclose(logits(changed), yours, atol=1e-7):
                raise Wrong(f"The {name} frame of a clip does not change its logits.")
        if np.allclose(logits(frames[:, [2, 1, 0, 3, 4]]), yours, atol=1e-7):
            raise Wrong("Frames in another order give the same logits: no memory.")
        logits(torch.randn(2, 9, 6))
