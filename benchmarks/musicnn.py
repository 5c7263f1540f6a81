"""Where Musicnn's time goes, and other ways to compute its convolutions.

`checkpoints.load("magnatagatune")`, scoring. PyTorch counts the FLOP; the limit is the
rate of a large matrix product, measured before and after. The first table varies the
windows in a batch. The second lists the operations of ten windows, by PyTorch's
profiler. Two convolutions have nearly all FLOP: filters of seven frames by 67 or 38
bands, over one channel; the maximum over bands follows. Four ways are tried: oneDNN;
1-d convolutions with bands as channels, one for each place of the filters; one matrix
product for each place, on a view of the frames that copies nothing; and the same with a
running maximum, so that no map of all places is ever written.
"""

from functools import partial

import machine
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from tagkit.machine import devices
from tagkit.training import checkpoints

N_WINDOWS, N_FRAMES, N_BANDS, N_FILTERS, N_LONG = 10, 187, 96, 204, 7


def batches(model, peak):
    """Print what a window costs in batches of several sizes."""
    rows = []
    for n in (1, 2, 4, 10, 16):
        samples = 0.1 * torch.randn(n, model.n_samples)
        with FlopCounterMode(display=False) as counter:
            model(samples)
        seconds = machine.fastest(partial(model, samples), 7)
        flop = counter.get_total_flops()
        row = [n, f"{1000 * seconds / n:.1f}", f"{flop / n / 1e9:.2f}"]
        rows.append([*row, f"{flop / seconds / peak:.0%}"])
    columns = ["windows a batch", "ms a window", "GFLOP a window", "of the peak"]
    print(machine.table(columns, rows))


def layers(model):
    """Print what the profiler says of the costliest operations."""
    samples = 0.1 * torch.randn(N_WINDOWS, model.n_samples)
    model(samples)
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu, record_shapes=True, acc_events=True) as found:
        model(samples)
    events = found.key_averages(group_by_input_shape=True)
    events = sorted(events, key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    rows = []
    for event in events[:12]:
        shapes = " * ".join(str(s) for s in event.input_shapes[:2] if s)
        ms = event.self_cpu_time_total / 1000 / N_WINDOWS
        share = event.self_cpu_time_total / total
        name = event.key.removeprefix("aten::")
        rows.append([name, shapes, event.count, f"{ms:.2f}", f"{share:.0%}"])
    print()
    print(machine.table(["operation", "of", "calls", "ms a window", "share"], rows))


def ways(n_bands):
    """Give four ways to the same maximum over bands, and the FLOP of each."""
    n_places = N_BANDS - n_bands + 1
    image = torch.randn(N_WINDOWS, 1, N_BANDS, N_FRAMES + N_LONG - 1)
    weight = 0.05 * torch.randn(N_FILTERS, 1, n_bands, N_LONG)
    matrix = weight[:, 0].permute(1, 2, 0).reshape(n_bands * N_LONG, N_FILTERS)
    matrix = matrix.contiguous()

    def by_onednn():
        return functional.conv2d(image, weight).amax(2)

    def bands_as_channels():
        places = image[:, 0].unfold(1, n_bands, 1).permute(0, 1, 3, 2)
        places = places.reshape(N_WINDOWS * n_places, n_bands, -1)
        found = functional.conv1d(places, weight[:, 0])
        return found.view(N_WINDOWS, n_places, N_FILTERS, N_FRAMES).amax(1)

    def frames():
        """Seven frames beside each other: (windows * frames, bands * 7)."""
        rows = image[:, 0].unfold(2, N_LONG, 1).permute(0, 2, 1, 3)
        return rows.reshape(N_WINDOWS * N_FRAMES, N_BANDS * N_LONG)

    def in_order(found):
        return found.view(N_WINDOWS, N_FRAMES, N_FILTERS).transpose(1, 2)

    def one_product():
        rows = frames()
        places = rows.as_strided(
            (n_places, len(rows), len(matrix)), (N_LONG, rows.shape[1], 1)
        )
        found = torch.bmm(places, matrix.expand(n_places, -1, -1))
        return in_order(found.amax(0))

    def place_after_place():
        rows, best = frames(), None
        for place in range(n_places):
            start = N_LONG * place
            found = rows[:, start : start + len(matrix)] @ matrix
            best = found if best is None else torch.maximum(best, found, out=best)
        return in_order(best)

    flop = 2 * N_FILTERS * n_bands * N_LONG * n_places * N_FRAMES * N_WINDOWS
    return (by_onednn, bands_as_channels, one_product, place_after_place), flop


def convolutions(peak):
    """Print what the ways cost, for both shapes of filters."""
    rows = []
    for n_bands in (67, 38):
        tried, flop = ways(n_bands)
        true = tried[0]()
        times = {way: [] for way in tried}
        for _ in range(9):
            for way in tried:
                times[way].append(machine.seconds(way))
        for way, seconds in times.items():
            torch.testing.assert_close(way(), true, rtol=1e-4, atol=1e-4)
            name = way.__name__.replace("_", " ")
            row = [f"7 x {n_bands}, {name}", f"{1000 * min(seconds) / N_WINDOWS:.2f}"]
            rows.append([*row, f"{flop / min(seconds) / peak:.0%}"])
    print()
    columns = ["convolution and maximum", "ms a window", "of the peak"]
    print(machine.table(columns, rows))


def main():
    devices.keep_freed_memory()  # as tagkit does where it scores
    model = checkpoints.load("magnatagatune")[0].requires_grad_(False)
    before = machine.flop_rate()
    with torch.inference_mode():
        batches(model, before)
        layers(model)
        convolutions(before)
    after = machine.flop_rate()
    print(f"\nThe limit: {before / 1e9:.0f} GFLOP/s before, {after / 1e9:.0f} after.")


if __name__ == "__main__":
    main()
