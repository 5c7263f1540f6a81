"""What mel bands cost: LogMel beside torchaudio's own transform and librosa.

A batch of eight clips of 29 s at 12 kHz. The ways take turns, in another order each
round; the fastest of 25 rounds counts. librosa takes one clip at a time. The script
also checks that all results agree. The memory limit counts the bytes that must be
moved: samples, one spectrum written and read, bands. The other limit counts the FLOP of
transforms and filters.
"""

import random
import time

import librosa
import machine
import numpy as np
import torch
import torchaudio

from tagkit.data import batches, corpus, store
from tagkit.models import mel

RATE, N_FFT, HOP, N_MELS, N_CLIPS = 12_000, 512, 256, 96, 8


def ways():
    """Each way from samples (8, n_samples) to decibels (8, 96, n_frames)."""
    ours = mel.LogMel(RATE, N_FFT, HOP, N_MELS, log="db")
    sizes = {"n_fft": N_FFT, "hop_length": HOP, "n_mels": N_MELS}
    theirs = torchaudio.transforms.MelSpectrogram(RATE, **sizes)
    spectrum = torchaudio.transforms.Spectrogram(N_FFT, hop_length=HOP)

    def with_librosa(samples):
        how = sizes | {"sr": RATE, "htk": True, "norm": None, "pad_mode": "reflect"}
        found = [librosa.feature.melspectrogram(y=s, **how) for s in samples.numpy()]
        return torch.from_numpy(np.stack([10 * np.log10(f.clip(1e-10)) for f in found]))

    return {
        "LogMel": ours,
        "torchaudio": lambda x: 10 * theirs(x).clamp(min=1e-10).log10(),
        "librosa": with_librosa,
        "torchaudio, spectrum alone": spectrum,
    }


def main():
    music = corpus.open("mini")
    clips = store.prepare(music, sample_rate=RATE)
    examples = batches.examples(music, clips, "train")
    samples, _ = next(
        batches.RandomCrops(examples, 349_488, RATE, batch_size=N_CLIPS).epoch(1)
    )
    all_ways, found = ways(), {}
    names, times = list(all_ways), {name: [] for name in all_ways}
    for _ in range(26):
        random.shuffle(names)
        for name in names:
            start = time.perf_counter()
            found[name] = all_ways[name](samples)
            times[name].append(time.perf_counter() - start)
    for name in ("torchaudio", "librosa"):
        torch.testing.assert_close(found[name], found["LogMel"], atol=0.05, rtol=0)
    ms = {name: 1000 * min(times[name][1:]) / N_CLIPS for name in all_ways}
    rows = [
        [name, f"{cost:.2f}", f"{cost / ms['LogMel']:.2f}"] for name, cost in ms.items()
    ]
    n_frames, n_bins = found["LogMel"].shape[2], 1 + N_FFT // 2
    n_bytes = 4 * (samples.shape[1] + 4 * n_frames * n_bins + n_frames * N_MELS)
    flop = n_frames * (2.5 * N_FFT * np.log2(N_FFT) + 2 * N_MELS * n_bins)
    by_memory = 1000 * n_bytes / machine.memory_rate()
    by_sums = 1000 * flop / machine.flop_rate()
    rows.append(
        ["limit, memory", f"{by_memory:.2f}", f"{by_memory / ms['LogMel']:.2f}"]
    )
    rows.append(["limit, FLOP", f"{by_sums:.2f}", f"{by_sums / ms['LogMel']:.2f}"])
    print(machine.table(["way", "ms a clip", "times LogMel"], rows))


if __name__ == "__main__":
    main()
