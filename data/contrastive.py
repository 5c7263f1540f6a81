"""Contrastive learning by hand: two crops of a clip belong together, others do not.

The cells of lesson 08 show these lines, and data/label_efficiency.py learns with them.
No label is looked at.

Source: InfoNCE of van den Oord 2018 in the form of SimCLR (Chen 2020), for music first
by Spijkervet & Burgoyne, CLMR, ISMIR 2021.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.data import store
from tagkit.models import mel

N_FRAMES = 128  # of a crop: 2.7 s at 12 kHz


def images(clips, ids):
    """Compute the mel bands of whole clips. Shape: (n_clips, 96, 1366), in dB."""
    front, rows = mel.LogMel(12_000), []
    for clip_id in ids:
        row = clips.samples[clips.rows[clip_id]]  # as long for every clip
        samples = torch.from_numpy(row / np.float32(store.FULL_SCALE))
        rows.append(front(samples[None]))
    return torch.cat(rows)


def crop(images):
    """Cut a random piece of each clip. Shape: (batch, 96, 128)."""
    starts = torch.randint(images.shape[2] - N_FRAMES + 1, (len(images),))
    pairs = zip(images, starts, strict=True)
    return torch.stack([x[:, s : s + N_FRAMES] for x, s in pairs])


def encoder():
    """Build the network. Shape: (batch, 96, 128) -> (batch, 128)."""
    layers, n_in = [nn.BatchNorm1d(96)], 96
    for n_out in (64, 128, 128):
        layers += [nn.Conv1d(n_in, n_out, 3, padding=1)]
        layers += [nn.BatchNorm1d(n_out), nn.ReLU(), nn.MaxPool1d(2)]
        n_in = n_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten())


def nt_xent(a, b, temperature=0.1):
    """Ask of each crop which of all others is its partner. Shape: (n, n_dims) each."""
    z = functional.normalize(torch.cat([a, b]), dim=1)  # (2n, n_dims)
    likeness = z @ z.T / temperature  # (2n, 2n), cosines
    likeness.fill_diagonal_(-torch.inf)  # itself is no answer
    partner = torch.arange(len(z)).roll(len(a))  # i + n, and back
    return functional.cross_entropy(likeness, partner)


def learn(images, n_steps=120, batch_size=64):
    """Train an encoder on clips without labels; give it, and the loss of each step."""
    net, losses = encoder(), []
    head = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64))
    both = nn.Sequential(net, head)
    optimizer = torch.optim.Adam(both.parameters(), lr=0.001)
    for _ in range(n_steps):
        some = images[torch.randperm(len(images))[:batch_size]]
        loss = nt_xent(both(crop(some)), both(crop(some)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return net.eval(), losses  # the head has done its work


def embed(net, images):
    """Embed whole clips: the mean of their crops. Shape: (n_clips, 128)."""
    starts = range(0, images.shape[2] - N_FRAMES + 1, N_FRAMES)
    with torch.inference_mode():
        pieces = [net(images[:, :, s : s + N_FRAMES]) for s in starts]
    return torch.stack(pieces).mean(dim=0).numpy()
