"""The tasks of lesson 09, reading papers: hints and probes.

The file is long because each slip is computed, so that a message can name it.
"""

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch.nn import functional

from tagkit.checks.engine import NotTried, calls, task, untouched
from tagkit.checks.tensors import array
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several


@task(
    "9.1",
    "From the likelihood to the loss",
    points=3,
    hints=(
        "Take −log p and −log(1 − p), and put p = 1 / (1 + exp(−z)) into both. Which "
        "of the two is equation 2.19?",
        "They become log(1 + exp(−z)) and log(1 + exp(z)). `np.logaddexp(0, x)` is "
        "log(1 + exp(x)), also where exp(x) would be too large. In the entropy leave "
        "out the labels that are 0 or 1.",
        "`np.mean(y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))`. For the "
        "divergence `between = y[(y > 0) & (y < 1)]`, `entropy = -between * "
        "np.log(between) - (1 - between) * np.log(1 - between)` and `loss(z, y) - "
        "entropy.sum() / y.size`.",
    ),
    praise="Minimising the one or the other is the same: the entropy has no z in it.",
)
def likelihood(answer):
    loss, divergence = several(answer, 2, "Your answer")
    z = np.array([1.2, -0.7, 0.4, -2.1, 3.0, -0.3])
    y = np.array([1.0, 0.0, 0.4, 1.0, 0.25, 0.0])
    cases = [
        (z, y),
        (np.array([0.0]), np.array([0.4])),  # the example of the text
        (z.reshape(2, 3), np.array([[1.0, 0, 1], [0, 0, 1]])),
        (np.array([1000.0, -1000, 1000, -1000]), np.array([1.0, 0, 0.5, 1])),
    ]
    for (z, y), value in zip(cases, calls(loss, cases), strict=True):
        yours = _number_of(value, "Your loss", z)
        each = _entropies(z, y)
        p = special.expit(z)
        slips = [
            (np.logaddexp(0, -z).mean(), "that is the loss if all labels are 1"),
            (np.logaddexp(0, z).mean(), "that is the loss if all labels are 0"),
            ((y * np.logaddexp(0, -z)).mean(), "a label of 0 has a loss, too"),
            (((1 - y) * np.logaddexp(0, z)).mean(), "a label of 1 has a loss, too"),
            (each.sum(), "the mean over the entries, not their sum"),
            (-each.mean(), "a loss is minus the logarithm"),
            (_entropies(-z, y).mean(), "the labels 0 and 1 are swapped"),
            (_entropies(p, y).mean(), "there is one sigmoid too many"),
            (each.mean() / np.log(2), "the natural logarithm, not that of base 2"),
            (each.mean() / np.log(10), "the natural logarithm, not that of base 10"),
            (np.mean((p - y) ** 2), "that is the squared error"),
            (np.mean(np.abs(p - y)), "that is the distance of score and label"),
            (_entropies(z, np.round(y)).mean(), "a label between 0 and 1 stays so"),
        ]
        otherwise = "each entry costs −log p, y times, and −log(1 − p), 1 − y times; "
        otherwise += "y may lie between 0 and 1"
        if np.abs(z).max() > 100:
            slips = []
            otherwise = "the loss grows with the logit, without a limit. Is a score "
            otherwise += "cut off, or something added to it?"
        _refuse(yours, each.mean(), slips, _about(z, y, yours), otherwise)
    if untouched(divergence):
        raise NotTried("`loss` is right; `divergence` is still to be written.")
    cases.insert(0, (cases[0][0], np.array([0.9, 0.3, 0.4, 0.8, 0.25, 0.1])))
    for (z, y), value in zip(cases, calls(divergence, cases), strict=True):
        yours = _number_of(value, "Your divergence", z, y)
        each, half = _entropies(z, y), -special.xlogy(y, y)
        entropy = half - special.xlogy(1 - y, 1 - y)
        right = np.mean(each - entropy)
        slips = [
            (each.mean(), "that is the loss; the entropy of the labels is in it"),
            (np.mean(each + entropy), "the entropy is added; subtract it"),
            (np.mean(each - half), "the entropy has a second half, of 1 − y"),
            (-right, "its sign is turned"),
            (np.sum(each - entropy), "the mean over the entries, not their sum"),
            (np.mean(each) - entropy.sum(), "the mean of the entropies, not their sum"),
            (np.mean(each - entropy / np.log(2)), "the natural logarithm in both"),
            (np.mean(entropy), "that is the entropy of the labels"),
            (_from_scores(z, y), "it is measured from the scores, not from the labels"),
        ]
        otherwise = "it is the loss minus the entropy of the labels"
        slips = slips if np.abs(z).max() < 100 else []
        _refuse(yours, right, slips, _about(z, y, yours), otherwise)


def _entropies(z, y):
    return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


def _from_scores(z, y):
    """The divergence the other way round."""
    with np.errstate(all="ignore"):
        p = special.expit(z)
        return np.mean(special.rel_entr(p, y) + special.rel_entr(1 - p, 1 - y))


def _number_of(value, what, z, y=None):
    """One finite number; nan where logits are large, or labels 0 or 1, said so."""
    read = np.asarray(plain(value))
    if read.size == 1 and read.dtype.kind == "f" and not np.isfinite(read).all():
        if np.abs(z).max() > 100:
            raise Wrong(
                f"{what} is {read.item()} where logits are as large as 1,000. Look for "
                "an exp that grows too large, and for the logarithm of a 0."
            )
        if y is not None and np.isin(y, (0, 1)).any():
            raise Wrong(
                f"{what} is {read.item()} where a label is 0 or 1. Which logarithm is "
                "taken of a 0? 0 · log 0 counts as 0."
            )
    return number(value, what)


def _about(z, y, yours):
    if z.size == 1:
        return f"For z = {z.item():g} and y = {y.item():g} yours is {yours:.4f}"
    largest = ", with logits of ±1,000," if np.abs(z).max() > 100 else ""
    return f"For {z.size} entries{largest} yours is {yours:.4f}"


def _refuse(yours, right, slips, seen, otherwise, atol=1e-4):
    refuse_slips(yours, right, slips, seen, otherwise, atol=atol)


@task(
    "9.2",
    "L2, and what Adam makes of it",
    points=4,
    hints=(
        "Write Adam first, without any decay: the lesson has it for one parameter. "
        "Which line must see decay · parameter if it belongs to the gradient?",
        "L2 changes g before m and v see it. Decoupled decay never touches g: it "
        "shrinks the parameter before the step. Both use the parameter as it is now.",
        "Begin with `parameters, m, v = start, 0, 0`. Then `for t, g in "
        "enumerate(gradients, start=1):`. If decoupled, `parameters = parameters * (1 "
        "- rate * decay)`, else `g = g + decay * parameters`. Then `m, v = 0.9 * m + "
        "0.1 * g, 0.999 * v + 0.001 * g**2` and `parameters = parameters - rate * m / "
        "(1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)`.",
    ),
    praise="A result about L2 with Adam says little about decay in AdamW.",
)
def adam(answer):
    random = np.random.default_rng(92)
    start = np.array([1.0, -2.0, 0.5])
    gradients = random.normal(0, [1, 3, 0.2], (4, 3))
    tiny = np.stack([np.zeros(3), [1e-7, 2e-7, -1e-7], [0.5, 0, 0]], axis=1)
    several_steps = random.normal(0.3, 1, (50, 2))
    cases = [
        (start, gradients, 0.2, 0.6, False),
        (start, gradients, 0.2, 0.6, True),
        (np.array([1.0]), np.array([[2.0], [-1.0]]), 0.1, 0.5, False),  # the text's
        (np.array([1.0]), np.array([[2.0], [-1.0]]), 0.1, 0.5, True),
        (start, tiny, 0.1, 0.0, False),
        (np.ones(2), several_steps, 0.02, 0.1, False),
        (np.ones(2), several_steps, 0.02, 0.1, True),
    ]
    for case, value in zip(cases, calls(answer, cases), strict=True):
        start, gradients, rate, decay, decoupled = case
        n, shape = len(gradients), start.shape
        if np.shape(plain(value)) == gradients.shape:
            return "You return the parameters after every step; only the last counts."
        finite = np.asarray(plain(value))
        finite = finite.astype(float) if finite.dtype.kind == "f" else np.zeros(0)
        if finite.shape == shape and not np.isfinite(finite).all():
            still = (gradients == 0).all(axis=0) & (decay == 0)
            if not np.isfinite(finite[still]).all():
                return (
                    f"A parameter whose gradient is always 0 becomes {finite[still][0]}"
                    "; it must stay where it is. What keeps 0 / 0 away in the step?"
                )
            return (
                f"After {n} steps a parameter is {finite[~np.isfinite(finite)][0]}. "
                "With which t does your loop begin? 1 − 0.9ᵗ must not be 0."
            )
        yours = array(value, shape, "Your result", "(n_parameters,)")
        right = _walk(*case)
        word = "decoupled" if decoupled else "by L2"
        seen = (
            f"After {n} steps, with a decay of {decay:g} {word}, your parameters are "
        )
        seen += f"{np.round(yours, 4)}"
        slips = [*_SLIPS_OF_ADAM, *(_DECOUPLED if decoupled else _BY_L2)]
        slips = [(_walk(*case, **slip), text) for slip, text in slips]
        slips += [
            (
                _walk(*case[:4], not decoupled),
                "that is what the other kind of decay gives",
            ),
            (right - start, "that is by how much they moved, not where they are"),
            (_walk(start, gradients[:1], *case[2:]), "only the first step is made"),
            (_descent(*case, momentum=0.9), "that is SGD with momentum"),
            (_descent(*case, momentum=0), "that is plain SGD"),
        ]
        otherwise = "decoupled decay shrinks the parameter, then comes Adam's step"
        if not decoupled:
            otherwise = "decay · parameter belongs to the gradient that m and v see"
        if (gradients == 0).any():
            slips = []
            otherwise = "here gradients are 0, or as small as 0.00000001, which is "
            otherwise += "added outside of the root; the decay is 0"
        _refuse(yours, right, slips if n == 4 else [], seen, otherwise)


def _of_all(gradient):
    return np.mean(gradient**2)


def _walk(
    start,
    gradients,
    rate,
    decay,
    decoupled,
    *,
    powers=(1, 1),
    betas=(0.9, 0.999),
    first=1,
    square=np.square,
    root=np.sqrt,
    against=1,
    keep=False,
    pull=lambda x, start: x,
    both=False,
    only_m=False,
    by_rate=True,
    behind=False,
):
    """Adam with one of two kinds of decay, with the slips that a learner may make."""
    x, m, v = start, 0, 0
    for t, g in enumerate(gradients, start=first):
        decoupled_pull = (rate if by_rate else 1) * decay * pull(x, start)
        l2 = g + decay * pull(x, start)
        seen = l2 if not decoupled or both else g
        m = betas[0] * m + (1 - betas[0]) * seen
        v = betas[1] * v + (1 - betas[1]) * square(g if only_m else seen)
        m_hat = m / (1 - betas[0] ** t) ** powers[0]
        v_hat = v / (1 - betas[1] ** t) ** powers[1]
        if keep:
            m, v = m_hat, v_hat
        step = against * rate * m_hat / (root(v_hat) + 1e-8)
        if decoupled or both:
            x = (x - step) * (1 - rate * decay) if behind else x - decoupled_pull - step
        else:
            x = x - step
    return x


_SLIPS_OF_ADAM = [
    ({"pull": lambda x, start: 0 * x}, "there is no decay in it"),
    (
        {"pull": lambda x, start: start},
        "the decay pulls by the start, not by the parameter as it is now",
    ),
    ({"pull": lambda x, start: -x}, "the decay pushes away from 0"),
    (
        {"pull": lambda x, start: 2 * x},
        "the pull is twice as strong; the gradient of ½ · parameter² is the parameter",
    ),
    (
        {"pull": lambda x, start: x / 2},
        "the pull is half as strong; the gradient of ½ · parameter² is the parameter",
    ),
    ({"pull": lambda x, start: np.sign(x)}, "that pulls by the sign, as L1 does"),
    ({"both": True}, "it decays in both ways at once"),
    (
        {"powers": (0.5, 0.5)},
        "as in algorithm 5, m and v are divided by the roots of their shares",
    ),
    (
        {"powers": (0, 0)},
        "m and v are too small in the first steps, and nothing makes up for it",
    ),
    (
        {"powers": (1, 0)},
        "v is too small in the first steps, and nothing makes up for it",
    ),
    (
        {"powers": (0, 1)},
        "m is too small in the first steps, and nothing makes up for it",
    ),
    ({"first": 2}, "t counts the steps from 1; yours is one ahead"),
    ({"betas": (0.999, 0.9)}, "0.9 and 0.999 are swapped"),
    ({"square": np.abs}, "v takes in the square of the gradient"),
    ({"root": np.asarray}, "a step is divided by the root of v"),
    ({"against": -1}, "a step goes against the gradient: mind the minus"),
    (
        {"keep": True},
        "m and v divided by their shares serve one step only; go on with "
        "m and v themselves",
    ),
    ({"square": _of_all}, "v has a number for each parameter, not one for all"),
]
_BY_L2 = [({"only_m": True}, "v must see the pull, too, as it is part of the gradient")]
_DECOUPLED = [
    ({"by_rate": False}, "the pull is rate · decay, not decay"),
    ({"behind": True}, "the parameter shrinks before Adam's step, not after it"),
]


def _descent(start, gradients, rate, decay, decoupled, *, momentum):
    x, step = start, 0
    for g in gradients:
        step = momentum * step + (g if decoupled else g + decay * x)
        x = x * (1 - rate * decay) - rate * step if decoupled else x - rate * step
    return x


@task(
    "9.3",
    "Twenty frequencies",
    points=3,
    hints=(
        "Three steps: which frequencies are the n strongest, which of these is the "
        "highest, and what lies above it?",
        "`np.abs(np.fft.rfft(samples))` are the amplitudes, in the order of the "
        "frequencies. `np.argsort` gives their places, the strongest last. Tell "
        "`np.fft.irfft` how many samples there were.",
        "`spectrum = np.fft.rfft(samples)`, `highest = np.argsort(np.abs(spectrum))"
        "[-n:].max()`, `spectrum[highest + 1 :] = 0` and `np.fft.irfft(spectrum, "
        "len(samples))`.",
    ),
    praise="A low-pass whose limit depends on the piece. Below, see how much.",
)
def low_pass(answer):
    turns = 2 * np.pi * np.arange(8) / 8
    three = 3 * np.cos(turns) + np.cos(2 * turns) + 2 * np.cos(3 * turns)
    random = np.random.default_rng(93)
    cases = [
        (_tones(), 4),
        (three, 1),  # the example of the text
        (three, 2),
        (random.normal(size=27), 2),
        (random.normal(size=200), 20),
        (random.normal(size=41), 1),
    ]
    for (samples, n), value in zip(cases, calls(answer, cases), strict=True):
        read = np.asarray(plain(value))
        case = f"For {len(samples)} samples and n = {n}"
        if read.dtype.kind == "c" and read.shape == samples.shape:
            if np.abs(read.imag).max() > 1e-6:
                return (
                    f"{case} your result is complex. In `np.fft.fft` the upper half "
                    "mirrors the lower one; what is left out must go from both."
                )
            value = read.real
        if read.shape == (len(samples) - 1,):
            return f"{case} you return {len(read)} samples; one is lost at the end."
        yours = array(value, samples.shape, f"{case} your result", "(n_samples,)")
        spectrum = np.fft.rfft(samples)
        order = np.argsort(np.abs(spectrum))
        best, bins = order[-n:], np.arange(len(spectrum))
        peak = best.max()
        mirrored = np.fft.fft(samples)
        twins = np.argsort(np.abs(mirrored), kind="stable")[-n:]
        twins = np.minimum(twins, len(samples) - twins)
        mirrored[peak + 1 :] = 0
        kept = [
            (bins >= 0, "nothing is left out"),
            (np.isin(bins, best), "the weaker ones below the highest stay, too"),
            (bins < peak, "the highest of the n stays, too"),
            (bins <= peak + 1, "one frequency above the highest is still there"),
            (bins >= peak, "what lies above is left out, not what lies below"),
            (bins <= best.min(), "you cut at the lowest of the n"),
            (bins <= best[-1], "you cut at the strongest; the highest of the n counts"),
            (bins <= order[:n].max(), "these n are the weakest"),
            (bins < n, "the n strongest frequencies, not the n lowest"),
            (
                bins <= np.argsort(spectrum.real)[-n:].max(),
                "an amplitude is the absolute value, not the real part",
            ),
            (
                bins <= twins.max(),
                "each frequency counts once, without its mirror twin",
            ),
            (
                bins <= order[order > 0][-n:].max(),
                "frequency 0, the mean, counts as well",
            ),
        ]
        slips = [
            (np.fft.irfft(np.where(keep, spectrum, 0), len(samples)), text)
            for keep, text in kept
        ]
        right = np.fft.irfft(np.where(bins <= peak, spectrum, 0), len(samples))
        mirror = "the upper half of `np.fft.fft` mirrors the lower one and stays, too, "
        slips.append((np.fft.ifft(mirrored).real, f"{mirror}below the same limit"))
        if len(samples) < 30 or n == 1:  # here some slips are the same
            slips = slips[:1]
        seen = f"{case} yours begins {np.round(yours[:3], 3)}"
        left = np.flatnonzero(np.abs(np.fft.rfft(yours)) > 1e-6)
        if len(left):
            seen += f", and its highest frequency is number {left[-1]}"
        otherwise = "all frequencies up to the highest of the n strongest stay as they "
        otherwise += "are, and the others are 0"
        _refuse(yours, right, slips, seen, otherwise, atol=1e-5)


def _tones():
    """32 samples in which the slips of this task cut at different frequencies."""
    strengths = np.array([9, 1.2, 2, 2.4, 1, 1.6, 10, 2.2, 1.8, 8, 4, 1.4, 7, 1.1, 5])
    strengths = np.append(strengths, [0.3, 2.6])
    angles = np.zeros(17)
    angles[[1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 14, 15]] = np.pi / 2
    return np.fft.irfft(strengths * np.exp(1j * angles), 32)


@task(
    "9.4",
    "A vote or a mean?",
    points=3,
    hints=(
        "Compare all scores with 0.5 at once. Which axis are the windows?",
        "In a vote it does not count how far above 0.5 a score is; in a mean it does. "
        "Three windows that hardly say yes win a vote against two that say no loudly.",
        "`(scores > 0.5).mean(axis=1)`; then `[0.6, 0.6, 0.6, 0.0, 0.0]` and `[1.0, "
        "1.0, 0.4, 0.4, 0.4]`.",
    ),
    praise="A vote forgets how sure a window was. Below, see whether that costs much.",
)
def vote(answer):
    function, *lists = several(answer, 3, "Your answer")
    random = np.random.default_rng(94)
    windows = [
        *([0.9, 0.5, 0.6, 0.2, 0.8], [0.7, 0.1, 0.9, 0.4, 0.45]),
        *([0.95, 0.8, 0.9, 1.0, 0.85], [0.5, 0.45, 0.3, 0.48, 0.4]),
        *([0.95, 0.5, 0.85, 0.55, 0.9], [0.95, 0.9, 0.3, 0.7, 0.8]),
    ]
    scores = np.reshape(windows, (2, 3, 5)).transpose(0, 2, 1)
    example = np.array([0.9, 0.6, 0.7, 0.1]).reshape(1, 4, 1)
    cases = [(scores,), (example,), (random.random((3, 4, 2)),)]
    for (scores,), value in zip(cases, calls(function, cases), strict=True):
        shape = scores.shape[::2]
        what = f"For scores of shape {scores.shape} your result"
        yours = array(value, shape, what, "(n_clips, n_tags)")
        yes = scores > 0.5
        share = yes.mean(axis=1)
        slips = [
            (scores.mean(axis=1), "that is the mean of the scores, not a share"),
            ((scores >= 0.5).mean(axis=1), "a score of exactly 0.5 is not above 0.5"),
            (yes.sum(axis=1), "that is how many say yes, not which share"),
            (share > 0.5, "that is what the majority says; hand in the share"),
            (yes.any(axis=1), "that is whether one window says yes, not which share"),
            (yes.all(axis=1), "that is whether all windows say yes, not which share"),
            ((scores > 0).mean(axis=1), "scores are compared with 0.5, logits with 0"),
            (
                (scores > scores.mean()).mean(axis=1),
                "scores are compared with 0.5, not with their mean",
            ),
            (1 - share, "that is the share of windows that say no"),
        ]
        seen = f"The first clip's first tag has the scores {scores[0, :, 0].round(2)}, "
        seen += f"and yours is {yours[0, 0]:.3g}"
        otherwise = "the share of a clip's windows with a score above 0.5"
        if np.isclose(yours[0, 0], share[0, 0]):
            seen = f"{what} is wrong in {(~np.isclose(yours, share)).sum()} fields"
        _refuse(yours, share, slips, seen, otherwise)
    names = "only_vote", "only_mean"
    if any(map(untouched, lists)):
        raise NotTried("`vote` is right; the two lists are still to be filled in.")
    for name, value, majority in zip(names, lists, (True, False), strict=True):
        read = np.squeeze(np.asarray(plain(value)))
        if read.shape != (5,):
            return f"`{name}` is {value!r:.60}; five scores are needed."
        scores = array(read, (5,), f"`{name}`", "(n_windows,)")
        outside = scores[(scores < 0) | (scores > 1)]
        if len(outside):
            return f"`{name}` holds {outside[0]:g}; scores lie from 0 to 1."
        n, mean = int((scores > 0.5).sum()), scores.mean()
        if (n > 2.5) != majority:
            word = "no" if majority else "yes"
            return f"In `{name}` {n} of 5 say yes, so the majority says {word}."
        if (mean > 0.5 + 1e-9) == majority:
            more, word = ("", "yes") if majority else (" not above 0.5,", "no")
            return f"The mean of `{name}` is {mean:.3g},{more} so the mean says {word}."


@task(
    "9.5",
    "Before the loss, or after it?",
    points=4,
    hints=(
        "In `window_loss` every window needs labels. `labels[:, None]` has the shape "
        "(n_clips, 1, n_tags). In `clip_loss` the windows are gone before the loss.",
        "`labels[:, None].expand_as(logits)` repeats each clip's labels for its own "
        "windows. `logits.mean(dim=1)` has the shape of the labels.",
        "`functional.binary_cross_entropy_with_logits(logits, labels[:, None]"
        ".expand_as(logits))` and `functional.binary_cross_entropy_with_logits("
        "logits.mean(dim=1), labels)`.",
    ),
    praise="The second is never larger, since the loss of a logit is a curve that "
    "opens upwards. So the two values cannot be compared.",
)
def losses(answer):
    functions = several(answer, 2, "Your answer")
    random = torch.Generator().manual_seed(95)
    cases = [(torch.tensor([[[2.0], [-2.0]]]), torch.ones(1, 1))]  # the text's
    for shape in ((2, 1, 3), (1, 3, 5), (3, 4, 2)):
        logits = 2 * torch.randn(shape, generator=random)
        labels = (torch.rand(shape[::2], generator=random) > 0.6).float()
        labels[0, 0], labels[-1, -1] = 1, 0
        cases.insert(0, (logits, labels))
    names = "window_loss", "clip_loss"
    rights = _of_windows, _of_clips
    tables = _slips_of_windows, _slips_of_clips
    otherwise = (
        "each window has a loss of its own, with the labels of its own clip",
        "the mean over the windows, for each tag apart, goes into the loss",
    )
    for i, (name, function) in enumerate(zip(names, functions, strict=True)):
        if untouched(function):
            raise NotTried(f"`window_loss` is right; `{name}` is still to be written.")
        for (logits, labels), value in zip(cases, calls(function, cases), strict=True):
            yours = number(value, f"What `{name}` gives")
            n, n_windows, n_tags = logits.shape
            seen = f"For {n} clips, {n_windows} windows and {n_tags} tags `{name}` "
            seen = seen.replace("1 clips", "1 clip").replace("1 windows", "1 window")
            seen = f"{seen.replace(' 1 tags', ' 1 tag')}gives {yours:.4f}"
            right = rights[i](logits, labels).item()
            slips = tables[i](logits, labels) if min(logits.shape) > 1 else []
            slips = [(slip.item(), text) for slip, text in slips]
            _refuse(yours, right, slips, seen, otherwise[i])
            inside = logits.clone().requires_grad_()
            try:
                found = function(inside, labels.clone())
            except RuntimeError as error:  # .numpy() wants a tensor without gradient
                return f"No gradient comes through `{name}`: {error}"
            if not getattr(found, "requires_grad", False):
                return f"No gradient comes through `{name}`; keep it a tensor."
            (slope,) = torch.autograd.grad(found.sum(), inside)
            inside = logits.clone().requires_grad_()
            (other,) = torch.autograd.grad(rights[i](inside, labels), inside)
            if not torch.allclose(slope, other, atol=1e-4):
                return (
                    f"`{name}` gives the right value, but not its gradient. Is a part "
                    "of it detached, or computed outside of PyTorch?"
                )


def _bce(logits, labels, **how):
    return functional.binary_cross_entropy_with_logits(logits, labels, **how)


def _of_windows(logits, labels):
    return _bce(logits, labels[:, None].expand_as(logits))


def _of_clips(logits, labels):
    return _bce(logits.mean(dim=1), labels)


def _slips_of_windows(logits, labels):
    for_each = labels[:, None].expand_as(logits)
    n_windows, n_tags = logits.shape[1:]
    in_turn = labels.repeat(n_windows, 1)
    flat = logits.reshape(-1, n_tags)
    of_scores = functional.binary_cross_entropy(logits.sigmoid().mean(dim=1), labels)
    return [
        (_of_clips(logits, labels), "that is the loss of the mean logit"),
        (of_scores, "that is the loss of the mean score; each window has a loss"),
        (_bce(flat, in_turn), "a window gets the labels of another clip"),
        (_bce(logits, for_each, reduction="sum"), "the mean over all, not the sum"),
        (_bce(logits.sigmoid(), for_each), "there is one sigmoid too many"),
        (_bce(-logits, for_each), "the labels 0 and 1 are swapped"),
        (_bce(logits[:, 0], labels), "only the first window counts"),
        (
            functional.mse_loss(logits.sigmoid(), for_each),
            "that is the squared error",
        ),
        (
            n_windows * _of_windows(logits, labels),
            "the mean over the windows, not their sum",
        ),
    ]


def _slips_of_clips(logits, labels):
    mean = logits.mean(dim=1)
    of_scores = functional.binary_cross_entropy(logits.sigmoid().mean(dim=1), labels)
    over_tags = logits.mean(dim=2, keepdim=True).expand_as(logits)
    return [
        (
            _of_windows(logits, labels),
            "that is the mean loss of the windows; average their logits before",
        ),
        (of_scores, "average the logits, not the scores"),
        (_bce(mean.sigmoid(), labels), "there is one sigmoid too many"),
        (_bce(-mean, labels), "the labels 0 and 1 are swapped"),
        (_bce(logits.sum(dim=1), labels), "the mean of the logits, not their sum"),
        (_bce(logits.amax(dim=1), labels), "the mean logit, not the largest"),
        (_bce(logits[:, 0], labels), "only the first window counts"),
        (_bce(mean, labels, reduction="sum"), "the mean over clips and tags, no sum"),
        (
            _bce(over_tags, labels[:, None].expand_as(logits)),
            "you average over the tags, not over the windows",
        ),
    ]


@task(
    "9.6",
    "Length or stride?",
    points=3,
    hints=(
        "Two loops over the rows give all pairs. Which of them count for the length?",
        "Count a pair (a, b) where a has the smaller setting and both have the same "
        "other setting: then each pair comes once. `table.merge(table, on=other)` "
        "finds all rows that have the other setting in common.",
        '`other = "stride" if setting == "length" else "length"`, `pairs = '
        'table.merge(table, on=other, suffixes=("_small", "_large"))`, `pairs = '
        'pairs[pairs[f"{setting}_small"] < pairs[f"{setting}_large"]]` and '
        '`len(pairs), (pairs["auc_small"] > pairs["auc_large"]).sum()`.',
    ),
    praise="Now read the two sentences again.",
)
def wins(answer):
    rows = [
        *((8, 8, 0.70), (8, 4, 0.74), (8, 2, 0.73), (4, 8, 0.71), (4, 4, 0.74)),
        *((4, 2, 0.76), (2, 4, 0.75), (16, 16, 0.65), (16, 4, 0.72)),
    ]
    columns = ["length", "stride", "auc"]
    mixed = pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=4)
    length, stride = [1024, 1024, 512, 512, 256], [1024, 512, 512, 256, 256]
    roy = pd.DataFrame({"auc": [0.7428, 0.7702, 0.7718, 0.7931, 0.7827]})
    roy["stride"], roy["length"] = stride, length
    example = pd.DataFrame([(8, 4, 0.6), (4, 4, 0.7), (4, 2, 0.7)], columns=columns)
    alone = pd.DataFrame([(8, 4, 0.6), (4, 2, 0.7)], columns=columns)
    settings = {"length": "stride", "stride": "length"}
    cases = [(t, s) for t in (mixed, roy, example, alone) for s in settings]
    for (table, setting), value in zip(cases, calls(answer, cases), strict=True):
        case = f"For {len(table)} rows and {setting!r}"
        yours = several(value, 2, f"{case} your result")
        yours = [
            number(part, f"{case} your {what}")
            for part, what in zip(yours, ("number of pairs", "wins"), strict=True)
        ]
        other = settings[setting]
        n, won, tied = _pairs(table, setting, other)
        everywhere = _pairs(table, setting, None)
        swapped = _pairs(table, other, setting)
        beside = _pairs(table, setting, other, neighbours=True)
        below = _pairs(table, setting, other, by_row=True)
        slips = [
            (everywhere[:2], "the other setting must be the same in both rows"),
            (swapped[:2], "length and stride are swapped"),
            ((2 * n, n - tied), "each pair counts once"),
            ((2 * n, won), "each pair counts once"),
            ((n, won + tied), "equal AUCs are no win"),
            ((n, n - won - tied), "it is a win if the smaller setting is higher"),
            ((n, won / n if n else -1), "how many, not which share"),
            ((won, n), "first the number of pairs, then the wins"),
            ((n - won, won), "first all pairs, also those without a win"),
            (beside[:2], "rows that are no neighbours in the table are a pair, too"),
            (below[:2], "the smaller setting may stand in either row"),
        ]
        seen = f"{case} yours is {yours[0]:g} and {yours[1]:g}"
        otherwise = f"a pair has two values of {setting} and one value of {other}"
        _refuse(yours, (n, won), slips if table is mixed else [], seen, otherwise)


def _pairs(table, setting, other, *, neighbours=False, by_row=False):
    """Pairs in which one setting differs: how many, won by the smaller, and tied."""
    rows, found = table.to_dict("records"), []
    for i, a in enumerate(rows):
        for b in rows[i + 1 : i + 2] if neighbours else rows[i + 1 :]:
            same = other is None or a[other] == b[other]
            if same and a[setting] != b[setting]:
                turned = a[setting] > b[setting] or by_row
                low, high = (b, a) if turned else (a, b)
                found.append(low["auc"] - high["auc"])
    found = np.array(found)
    return len(found), int((found > 0).sum()), int((found == 0).sum())


@task(
    "9.7",
    "An interval below 100 %",
    points=3,
    hints=(
        "The formula is the same, mean ± t · s / √n. What changes is the numbers that "
        "you take the mean and the deviation of.",
        "`logits = np.log(accuracies / (1 - accuracies))`, and their deviation is "
        "`logits.std(ddof=1)`. The sigmoid 1 / (1 + exp(−x)) brings an end back.",
        "`n = len(accuracies)`, `logits = np.log(accuracies / (1 - accuracies))`, "
        "`half = stats.t.ppf(0.975, n - 1) * logits.std(ddof=1) / np.sqrt(n)`, `ends = "
        "logits.mean() + np.array([-half, half])` and `1 / (1 + np.exp(-ends))`.",
    ),
    praise="Three runs are few: most of this width is Student's 4.303.",
)
def interval(answer):
    lists = [
        [0.99, 0.8, 0.97, 0.93],
        [0.9, 0.95, 0.98],  # the example of the text
        [0.999, 0.99],
        [0.2, 0.5, 0.4, 0.3, 0.7, 0.45],
    ]
    cases = [(np.array(accuracies),) for accuracies in lists]
    for (accuracies,), value in zip(cases, calls(answer, cases), strict=True):
        given = ", ".join(f"{x:g}" for x in accuracies)
        yours = several(value, 2, f"For {given} your interval")
        yours = np.array([number(end, "An end of your interval") for end in yours])
        n = len(accuracies)
        t = stats.t.ppf(0.975, n - 1)
        printed = _ends(accuracies, t)
        logits = special.logit(accuracies)
        right = special.expit(_ends(logits, t))
        ratios = np.log(accuracies)
        changed = [
            (
                stats.norm.ppf(0.975),
                1,
                n,
                "take Student's t, not 1.96: these runs are few",
            ),
            (1.96, 1, n, "take Student's t, not 1.96: these runs are few"),
            (stats.t.ppf(0.975, n), 1, n, "there are n − 1 degrees of freedom"),
            (stats.t.ppf(0.95, n - 1), 1, n, "2.5 % lie outside on each of two sides"),
            (stats.t.ppf(0.975, 2), 1, n, "4.303 is t for 2 degrees, for n = 3 only"),
            (t, 0, n, "the deviation is divided by n − 1, before its root"),
            (t, 1, 1, "the deviation is still to be divided by √n"),
            (t, 1, n**2, "the deviation is divided by √n, not by n"),
        ]
        slips = [(special.expit(_ends(logits, *how)), text) for *how, text in changed]
        slips += [
            (right[::-1], "the low end comes first"),
            (printed, "that is the printed formula, of the shares, not their logits"),
            (np.clip(printed, 0, 1), "that is the printed interval, cut off"),
            (_ends(logits, t), "these are logits; bring both ends back by the sigmoid"),
            (
                (accuracies.min(), accuracies.max()),
                "that is the lowest and the highest",
            ),
            (np.exp(_ends(ratios, t)), "a logit is log(a / (1 − a)), not log a"),
            (
                special.expit(_ends(logits / np.log(10), t)),
                "a logit has the natural logarithm",
            ),
        ]
        if accuracies is not cases[0][0]:
            slips = slips[-6:-2] if n > 2 else []
        seen = f"For {given} yours goes from {yours[0]:.4g} to {yours[1]:.4g}"
        otherwise = "the mean of the logits ± t · s / √n, and the sigmoid of both ends"
        _refuse(yours, right, slips, seen, otherwise)


def _ends(x, t, ddof=1, divisor=None):
    half = t * x.std(ddof=ddof) / np.sqrt(divisor or len(x))
    return x.mean() + np.array([-half, half])
