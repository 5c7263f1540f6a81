"""What can be checked with a pencil: numbers and formulas of the five documents.

Each function returns what a document prints, or what follows from a formula as it is
printed, and what comes out here. `agree` says whether the two are the same to the
digits printed. data/claims.py puts them into its table, lesson 09 does some by hand.
"""

import numpy as np
import pandas as pd
import torch
from scipy import signal
from torch.nn import functional

from tagkit import models
from tagkit.data import corpus
from tagkit.evaluation import results

# Tables 4.1 and 4.2 of Wells: accuracy of k2c1 and half of its interval, in percent.
ACCURACY = """
heavy metal 98.0 0.2, indie pop 97.9 0.6, rnb 97.74 0.02, house 97.7 0.2, hard rock 97.6
0.4, acoustic 97.3 2.7, hip-hop 97.3 1.8, electro 97.2 3.2, funk 96.9 3.3, punk 96.9
0.3, metal 96.7 0.6, electronica 96.6 0.6, experimental 96.4 5.3, classic rock 96.3 4.5,
alternative rock 96.2 1.2, progressive rock 96.1 0.1, country 96.0 0.6, indie rock 95.8
3.3, blues 95.7 4.5, soul 94.5 4.9, dance 94.4 0.9, folk 94.0 4.5, jazz 93.0 3.7,
alternative 92.2 1.0, electronic 89.7 5.1, indie 88.9 0.6, pop 87.5 0.5, rock 81.8 2.8,
happy 99.6 0.1, party 99.4 0.1, catchy 99.4 0.1, sad 99.4 0.5, sexy 99.2 1.1, easy
listening 98.9 1.1, chill 98.8 0.3, beautiful 98.7 0.6, mellow 98.3 0.5, chillout 96.5
1.8, ambient 96.3 0.5, oldies 96.0 0.6, female vocalist 98.9 1.4, male vocalists 98.4
0.4, guitar 98.2 1.6, instrumental 94.6 2.5, female vocalists 91.2 2.0, 00s 98.4 0.3,
70s 97.54 0.04, 60s 97.3 1.8, 90s 97.3 0.7, 80s 94.9 6.3
"""


def agree(printed, ours) -> bool:
    """Say whether two words are the same, or two numbers to the digits of the first.

    >>> agree(0.703, 0.70302), agree(167, 168.0), agree("mp3", "wav")
    (True, False, False)
    """
    if isinstance(printed, str):
        return printed == ours
    n_digits = len(str(printed).partition(".")[2])
    return bool(abs(printed - ours) <= 0.5 * 10.0**-n_digits + 1e-9)


def accuracy() -> pd.DataFrame:
    """Read ACCURACY. Shape: a row per tag; columns accuracy, half, in percent."""
    rows = [row.rsplit(maxsplit=2) for row in ACCURACY.replace("\n", " ").split(",")]
    table = pd.DataFrame(rows, columns=["tag", "accuracy", "half"])
    table["tag"] = table["tag"].str.strip()
    return table.set_index("tag").astype(float)


def published(source: str, starts: str) -> pd.Series:
    """Read ROC-AUC from published.csv. Shape: a number for each system of a source."""
    rows = pd.read_csv(corpus.SHIPPED / "published.csv").query("source == @source")
    rows = rows[rows["system"].str.startswith(starts)]
    return rows.set_index("system")["roc_auc"]


# -- Weber, EPFL 2019 ------------------------------------------------------------------


def steps_of_an_epoch():
    """Songs divided by songs of a batch."""
    return 167, 3360 / 20


def samples_of_nine_chunks():
    """Nine times a chunk of 51,776."""
    return 465_984, 9 * 51_776


def faster_to_load():
    """The shorter of the two times that it prints for 100 songs."""
    seconds = pd.Series({"mp3": 37.91, "wav": 42.58})
    return "wav", seconds.idxmin()


def lowest_loss_after_a_sigmoid():
    """Loss of a sure and right "no" whose score, 0, is taken for a logit."""
    score = torch.sigmoid(torch.tensor(-100.0))
    loss = functional.binary_cross_entropy_with_logits(score, torch.tensor(0.0))
    return 0, loss.item()


# -- Roy, Bristol ----------------------------------------------------------------------


def average_by_max_pooling():
    """Mean of 1, 2, 3 and 6; a global max pooling of them printed."""
    values = torch.tensor([[1.0, 2, 3, 6]])
    return functional.max_pool1d(values, 4).item(), values.mean().item()


def best_and_worst_loss():
    """Loss of the worst clip less that of the best."""
    return 0.703, 0.7612 - 0.0582


def best_cell(source):
    """The highest of the five cells, length/stride; the smallest of them printed."""
    cells = published(source, "base ").filter(regex=r"\d+/\d+")
    return "256/256", cells.idxmax().removeprefix("base ")


def more_labels_right():
    """Whose accuracy is higher on clips with one of 50 tags."""
    nothing = 1 - results.FLOORS["clean", "raw50"]
    right = {"EfficientNet-B0": 0.93, f"naming no tag ({nothing:.3f})": nothing}
    return "EfficientNet-B0", max(right, key=right.get)


# -- Wells, Cambridge 2018 -------------------------------------------------------------


def arg_max_of_likelihood():
    """Share of a tag that 3 of 10 clips have, of greatest likelihood; by eq. 2.11."""
    shares = np.linspace(0.01, 0.99, 99)
    expected = 0.3 * np.log(shares) + 0.7 * np.log(1 - shares)
    return -shares[expected.argmin()], shares[expected.argmax()]


def posterior():
    """P(C1|x) by Bayes, for P(x|C) of .6 and .2, P(C) of .1 and .9; by eq. 2.15."""
    density, prior = np.array([0.6, 0.2]), np.array([0.1, 0.9])
    evidence = density @ prior
    z = np.log(density[0] * evidence / (density[1] * evidence))
    return 1 / (1 + np.exp(-z)), density[0] * prior[0] / evidence


def loss_of_an_absent_tag():
    """Loss for a logit of 2 and a label of 0; by eq. 2.19."""
    logit = torch.tensor(2.0)
    ours = functional.binary_cross_entropy_with_logits(logit, torch.tensor(0.0))
    return -functional.logsigmoid(logit).item(), ours.item()


def least_cross_entropy():
    """Least cross-entropy for a tag that 3 of 10 such clips have: its entropy."""
    scores = np.linspace(0.01, 0.99, 99)
    return 0, -(0.3 * np.log(scores) + 0.7 * np.log(1 - scores)).max()


def convolution_commutes():
    """Largest difference between eq. 2.21 and eq. 2.22, on random numbers."""
    image, kernel = np.random.default_rng(0).normal(size=(2, 5, 5))
    a, b = (signal.convolve2d(x, y) for x, y in ((image, kernel), (kernel, image)))
    return 0.0, np.abs(a - b).max()


def layers_correlate():
    """Largest difference between `torch.conv2d` and eq. 2.23, on random numbers."""
    image, kernel = np.random.default_rng(0).normal(size=(2, 5, 5))
    kernel = kernel[:3, :3]
    tensors = (torch.from_numpy(x)[None, None] for x in (image, kernel))
    ours = signal.correlate2d(image, kernel, "valid")
    return 0.0, np.abs(torch.conv2d(*tensors)[0, 0].numpy() - ours).max()


def values_that_pooling_keeps():
    """Of 4 pooled values, how many change if .1 1 .2 .1 moves on by one."""
    before = torch.tensor([[0.1, 1, 0.2, 0.1]])
    after = torch.tensor([[0.3, 0.1, 1, 0.2]])
    pooled = [functional.max_pool1d(x, 3, stride=1, padding=1) for x in (before, after)]
    return 2, (pooled[0] != pooled[1]).sum().item()


def slope_of_elu():
    """Derivative of ELU at -1; the value of ELU there plus 1 by eq. 3.3."""
    x = torch.tensor(-1.0, requires_grad=True)
    (slope,) = torch.autograd.grad(functional.elu(x), x)
    return functional.elu(x).item() + 1, slope.item()


def frames():
    """29.12 s at 12 kHz in hops of 256."""
    return 1366, 29.12 * 12_000 / 256


def megabytes_of_a_spectrogram():
    """96 by 1366 numbers of 8 bytes."""
    return 1.05, 96 * 1366 * 8 / 1e6


def decibels_of_twice_the_samples():
    """dB that twice the amplitude adds, the power squared once; twice, algorithm 1."""
    return 10 * np.log10((2.0**2) ** 2), 10 * np.log10(2.0**2)


def length_of_the_middle():
    """Samples cut from the middle of 40; those asked for are 30."""
    audio, length = np.zeros(40), 30
    upper, lower = (len(audio) - length) // 2, (len(audio) + length) // 2
    return len(audio[lower:upper]), len(audio[upper:lower])


def first_step_of_adam():
    """First step of `torch.optim.Adam`, in learning rates; by algorithm 5."""
    theta = torch.nn.Parameter(torch.zeros(1))
    theta.grad = torch.tensor([3.0])
    torch.optim.Adam([theta], lr=1).step()
    m, v = 0.1 * 3, 0.001 * 3**2
    return m / np.sqrt(0.1) / np.sqrt(v / np.sqrt(0.001)), -theta.item()


def inputs_of_the_fourth_unit():
    """Inputs that its 185,136 parameters need: 4 n 304 + 304."""
    return 304, (185_136 - 304) / (4 * 304)


def parameters_of_the_dense_layer():
    """271 weights and a bias for each of 50 tags."""
    return 13_550, (271 + 1) * 50


def millions_of_parameters():
    """Parameters of k2c2 with batch norm, which every unit has, in millions."""
    return 1.0022, models.count_parameters(models.K2C2()) / 1e6


def largest_to_smallest():
    """Parameters of the largest of the three, divided by those of the smallest."""
    sizes = [models.MODELS[name].parameters for name in ("K2C1", "K1C2", "K2C2")]
    return 1.0, max(sizes) / min(sizes)


def positions_of_a_kernel():
    """Positions along an edge: (3 - 2) / 1 + 1, by the formula above the figure."""
    return 3, (3 - 2 + 2 * 0) / 1 + 1


def intervals_past_100():
    """Accuracies whose interval ends above 100 %, of 50."""
    table = accuracy()
    return 0, int((table["accuracy"] + table["half"] > 100 + 1e-9).sum())


def accuracy_without_listening():
    """Lowest accuracy of any tag of mini if no tag is ever named."""
    return 0.5, 1 - corpus.open("mini").labels("raw50").mean().max()


def similarity_in_the_plane():
    """Similarity of points 2 apart to that of points 1 apart, by Student's t."""
    student = 1 / (1 + np.array([1.0, 2]) ** 2)
    normal = np.exp(-(np.array([1.0, 2]) ** 2))
    return normal[1] / normal[0], student[1] / student[0]


# -- Elwood & Varosyan, Bristol --------------------------------------------------------


def seconds_of_a_clip():
    """465,984 samples at 16 kHz."""
    return 29.14, 465_984 / 16_000


def relative_gain():
    """Percent of .8267 that .8949 is above it."""
    return 8.25, 100 * (0.8949 / 0.8267 - 1)


def best_of_the_grid():
    """The cell with the highest of the 25 scores."""
    grid = published("Elwood & Varosyan, Bristol", "base, momentum")
    return "momentum 0.99, rate 0.005", grid.idxmax().removeprefix("base, ")


def better_of_two_papers():
    """Whose 256/256 is higher, theirs or that of Dieleman & Schrauwen."""
    scores = {
        "Elwood & Varosyan": published("Elwood & Varosyan, Bristol", "base 256"),
        "Dieleman & Schrauwen": published("Dieleman & Schrauwen 2014", "raw 256"),
    }
    return "Elwood & Varosyan", max(scores, key=lambda name: scores[name].item())
