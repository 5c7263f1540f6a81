"""Render a composed track: MIDI, FluidSynth, then room, colour, level and MP3.

Each *stem* (plain, overdriven guitars, filtered synths, pumped synths, voice,
choir) is rendered by its own run of FluidSynth, treated in numpy and mixed. All
random numbers come from the track's seed.
"""

import math
import subprocess
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy import signal

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE = 32_000  # rendering; the corpus has half of it
CLIP_RATE = 16_000
CLIP_SAMPLES = 465_984
# LAME adds 1,105 samples in front and fills its last frame: 464,832 samples written
# at 24 kbit/s decode to exactly 809 frames of 576 samples, as in MagnaTagATune.
WRITTEN_SAMPLES = 464_832
CLIP_STEP = 29 * CLIP_RATE

# Formants (Hz) and their levels (dB) of five sung vowels of a low voice.
VOWELS = {
    "a": ((730, 0), (1150, -3), (2600, -11), (3300, -14)),
    "e": ((450, 0), (1850, -5), (2500, -8), (3300, -13)),
    "i": ((290, 0), (2150, -7), (2900, -9), (3500, -13)),
    "o": ((480, 0), (850, -3), (2500, -14), (3200, -17)),
    "u": ((320, 0), (750, -7), (2400, -18), (3100, -20)),
}


def random_numbers(*names):
    """A numpy generator for these names."""
    return np.random.default_rng(zlib.crc32("/".join(names).encode()))


# --- MIDI and FluidSynth -----------------------------------------------------------


def midi_file(song, parts, detune):
    """The parts as a MIDI file whose ticks are milliseconds."""
    file = mido.MidiFile(ticks_per_beat=500)  # at the default 120 bpm: 1 tick = 1 ms
    channels = [c for c in range(16) if c != 9]
    for part in parts:
        channel = 9 if part.drums else channels.pop(0)
        events = part_events(song, part, channel, detune)
        events.sort(key=lambda e: (e[0], e[1]))
        line, now = mido.MidiTrack(), 0
        for tick, _, message in events:
            line.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(line)
    return file


def part_events(song, part, channel, detune):
    """(tick, order, message) of one part: set-up, notes, slides and vibrato."""
    out = []

    def control(number, value, tick=0):
        message = mido.Message("control_change", channel=channel)
        out.append((tick, 0, message.copy(control=number, value=value)))

    program = mido.Message("program_change", channel=channel, program=part.program)
    out.append((0, 1, program))
    for number, value in ((101, 0), (100, 0), (6, 12), (38, 0)):  # bends of an octave
        control(number, value)
    control(7, min(127, round(92 * math.sqrt(part.gain))))
    bend = mido.Message("pitchwheel", channel=channel)
    base = 0 if part.drums else detune

    def pitch(tick, cents):
        value = max(-8192, min(8191, round((base + cents) * 8192 / 1200)))
        out.append((tick, 2, bend.copy(pitch=value)))

    pitch(0, 0)
    notes = sorted(part.notes)
    ends = {}
    for beat, beats, key, velocity in notes:
        start = round(1000 * song.seconds(beat))
        end = max(start + 20, round(1000 * song.seconds(beat + beats)))
        if ends.get(key, -1) > start:  # a repeated key is let go first
            out.append((start, 2, note("note_off", channel, key, 0)))
        ends[key] = max(ends.get(key, -1), end)
        out.append((start, 3, note("note_on", channel, key, velocity)))
        out.append((end, 2, note("note_off", channel, key, 0)))
        if part.vibrato and end - start > 350:
            for tick in range(start + 150, end, 20):
                t = (tick - start - 150) / 1000
                depth = part.vibrato * min(1.0, t / 0.4)
                pitch(tick, depth * math.sin(2 * math.pi * 5.6 * t))
            pitch(end, 0)
    for beat, beats, cents in part.slides:
        start, end = song.seconds(beat), song.seconds(beat + beats)
        for tick in range(round(1000 * start), round(1000 * end), 15):
            done = (tick / 1000 - start) / max(end - start, 0.02)
            pitch(tick, cents * (1 - done))
        pitch(round(1000 * end), 0)
    return out


def note(kind, channel, key, velocity):
    return mido.Message(kind, channel=channel, note=key, velocity=velocity)


def synthesise(song, parts, detune, chorus, n_samples):
    """One run of FluidSynth; mono samples at 32 kHz.

    Shape: (n_samples,) float64
    """
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "song.mid"), Path(folder, "song.wav")
        midi_file(song, parts, detune).save(midi)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.35", "-r", str(RATE)]
        command += ["-R", "0", "-C", "1" if chorus else "0", "-T", "wav", "-O", "float"]
        command += ["-F", str(wav), str(SOUNDFONT), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        samples = soundfile.read(wav, always_2d=True)[0].mean(axis=1)
    samples = samples[:n_samples]
    return np.pad(samples, (0, n_samples - len(samples)))


# --- treatments ----------------------------------------------------------------------


def biquad(kind, frequency, gain_db, q=0.8):
    """Second-order peak or shelf after the Audio EQ Cookbook (R. Bristow-Johnson)."""
    a = 10 ** (gain_db / 40)
    w = 2 * math.pi * frequency / RATE
    alpha, c = math.sin(w) / (2 * q), math.cos(w)
    if kind == "peak":
        b = [1 + alpha * a, -2 * c, 1 - alpha * a]
        d = [1 + alpha / a, -2 * c, 1 - alpha / a]
    else:
        s = 1 if kind == "low" else -1
        r = 2 * math.sqrt(a) * alpha
        b = [a * (a + 1 - s * (a - 1) * c + r), s * 2 * a * (a - 1 - s * (a + 1) * c)]
        b += [a * (a + 1 - s * (a - 1) * c - r)]
        d = [a + 1 + s * (a - 1) * c + r, -s * 2 * (a - 1 + s * (a + 1) * c)]
        d += [a + 1 + s * (a - 1) * c - r]
    return np.array([[*(x / d[0] for x in b), *(x / d[0] for x in d)]])


def equalise(samples, bands):
    """Apply (kind, frequency, gain) bands one after another."""
    for kind, frequency, gain in bands:
        samples = signal.sosfilt(biquad(kind, frequency, gain), samples)
    return samples


def overdrive(samples, drive):
    """Waveshaping of a loud guitar amplifier, then its loudspeaker."""
    tight = signal.butter(2, 120, "highpass", fs=RATE, output="sos")
    samples = signal.sosfilt(tight, samples)
    peak = np.percentile(np.abs(samples), 99.5) + 1e-9
    wide = signal.resample_poly(samples / peak, 2, 1)
    shaped = np.tanh(drive * wide + 0.15) - math.tanh(0.15)
    samples = signal.resample_poly(shaped, 1, 2)[: len(samples)] * peak
    speaker = signal.butter(3, 4800, "lowpass", fs=RATE, output="sos")
    return equalise(signal.sosfilt(speaker, samples), [("peak", 2300, 4)])


def moving_filter(samples, cutoffs):
    """A low-pass whose cutoff (Hz, one per sample) moves: fades between fixed ones."""
    grid = np.geomspace(250, 9000, 7)
    place = np.interp(np.log(cutoffs), np.log(grid), np.arange(7))
    out = np.zeros_like(samples)
    for k, cutoff in enumerate(grid):
        weight = np.maximum(0, 1 - np.abs(place - k))
        sos = signal.butter(3, cutoff, "lowpass", fs=RATE, output="sos")
        out += weight * signal.sosfilt(sos, samples)
    return out


def sweep_filter(samples, song, rand):
    """Filter moves over phrases of 8 or 16 bars, as of a hand on the cutoff."""
    t = np.arange(len(samples)) / RATE
    phrase = song.meter * 60 / song.bpm * rand.choice((8, 16))
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * (t / phrase + rand.random()))
    low, high = rand.uniform(350, 900), rand.uniform(2500, 8000)
    return moving_filter(samples, low * (high / low) ** shape)


def pump(samples, song):
    """Duck under every beat, as trance does with its bass drum."""
    beat = np.arange(len(samples)) / RATE * song.bpm / 60 % 1.0
    return samples * (0.25 + 0.75 * np.clip(beat / 0.6, 0, 1) ** 0.8)


def formants(samples, vowel, tract):
    """The sound through the resonances of one vowel."""
    out = np.zeros_like(samples)
    for frequency, level in VOWELS[vowel]:
        band = frequency * tract
        b, a = signal.iirpeak(min(band, 12_000), Q=band / (70 + band * 0.035), fs=RATE)
        out += 10 ** (level / 20) * signal.lfilter(b, a, samples)
    return out + 0.06 * samples


def sing(samples, song, parts, tract, rand, rasp):
    """Give each note of a voice a vowel, and some of them a hissed consonant."""
    notes = sorted(n for p in parts for n in p.notes)
    order = "aeoauie"
    weights = {v: np.zeros(len(samples)) for v in VOWELS}
    hiss = np.zeros(len(samples))
    start_of = [int(RATE * song.seconds(n[0])) for n in notes] or [0]
    for k, start in enumerate(start_of):
        stop = start_of[k + 1] if k + 1 < len(notes) else len(samples)
        if start >= len(samples) or stop <= start:
            continue
        weights[order[rand.integers(len(order))]][start:stop] = 1
        if rand.random() < 0.45 and start > 2500:
            length = int(RATE * rand.uniform(0.04, 0.1))
            burst = rand.standard_normal(length) * np.hanning(length)
            piece = hiss[start - length : start]
            piece += burst[: len(piece)] * rand.uniform(0.3, 1.0)
    fade = np.hanning(1600) / np.hanning(1600).sum()
    out = np.zeros_like(samples)
    for vowel, weight in weights.items():
        if weight.any():
            weight = signal.fftconvolve(weight, fade, "same")
            out += weight * formants(samples, vowel, tract)
    band = signal.butter(2, (3000, 7000), "bandpass", fs=RATE, output="sos")
    hiss = signal.sosfilt(band, hiss)
    out *= rms(samples) / (rms(out) + 1e-9)
    if rasp:
        out = overdrive(out, 6)
        out *= rms(samples) / (rms(out) + 1e-9)
    return out + hiss * rms(samples) * 0.35


def balance(voice, rest, level):
    """Bring a voice, where it sings, to a level (dB) against the rest."""
    power = signal.fftconvolve(voice**2, np.ones(3200) / 3200, "same")
    sings = power > 0.05 * np.percentile(power, 95)
    if not sings.any():
        return voice
    wanted = rms(rest[sings]) * 10 ** (level / 20)
    return voice * (wanted / (rms(voice[sings]) + 1e-9) if wanted > 1e-5 else 1.0)


def room(samples, seconds, wet, name):
    """Convolve with the artist's room: echoes, then noise that dies away."""
    rand = random_numbers(name, "room")
    n = int(RATE * min(seconds * 1.1, 6.5))
    t = np.arange(n) / RATE
    tail = rand.standard_normal(n) * 10 ** (-3 * t / seconds)
    dark = signal.butter(1, rand.uniform(1800, 6000), "lowpass", fs=RATE, output="sos")
    tail = signal.sosfilt(dark, tail) * np.clip(t / 0.02, 0, 1)
    for _ in range(6):
        tail[int(RATE * rand.uniform(0.006, 0.06))] += rand.uniform(-8, 8)
    tail /= np.sqrt(np.sum(tail**2))
    echo = signal.fftconvolve(samples, tail)[: len(samples)]
    return (1 - wet) * samples + 1.6 * wet * echo


def compress(samples, strength):
    """Even out loudness: divide by a power of the smoothed level."""
    block = RATE // 100
    n = len(samples) // block
    level = np.sqrt(np.mean(samples[: n * block].reshape(n, block) ** 2, axis=1))
    level = np.maximum(level, np.percentile(level, 90) * 0.02 + 1e-7)
    smooth = signal.lfilter([0.12], [1, -0.88], np.log(level), zi=[np.log(level[0])])[0]
    gain = np.exp(-strength * smooth)
    at = (np.arange(n) + 0.5) * block
    return samples * np.interp(np.arange(len(samples)), at, gain)


def oddities(samples, rand):
    """Ring modulation, reversal and coarse bits for strange pieces."""
    t = np.arange(len(samples)) / RATE
    out = samples.copy()
    step = int(RATE * rand.uniform(2, 7))
    for start in range(0, len(samples), step):
        piece = out[start : start + step]
        choice = rand.integers(5)
        if choice == 0:
            piece *= np.sin(2 * np.pi * rand.uniform(40, 900) * t[: len(piece)])
        elif choice == 1:
            piece[:] = piece[::-1].copy()
        elif choice == 2:
            hold = rand.integers(4, 16)
            piece[:] = np.repeat(piece[::hold], hold)[: len(piece)]
        elif choice == 3:
            loop = piece[: int(RATE * rand.uniform(0.05, 0.3))]
            piece[:] = np.resize(loop, len(piece))
    return out


def rms(samples):
    return float(np.sqrt(np.mean(samples**2)))


def wobble(samples, depth):
    """Slow changes of a tape's speed."""
    t = np.arange(len(samples)) / RATE
    shift = depth * RATE * (np.sin(2 * np.pi * 0.7 * t) + 0.4 * np.sin(14 * t)) / 4.4
    return np.interp(np.arange(len(samples)) + shift, np.arange(len(samples)), samples)


# --- the whole way of one track -------------------------------------------------------


def render(song, track):
    """The track's mono samples at 32 kHz before levels are set.

    Shape: (n_samples,) float64
    """
    sound, artist = track.artist.sound, track.artist
    rand = random_numbers(track.seed, "sound")
    n_samples = 2 * (CLIP_STEP * track.n_clips + CLIP_RATE)
    mix = np.zeros(n_samples)
    stems, voice = {}, None
    for part in song.parts:
        if part.notes:
            stems.setdefault(part.stem, []).append(part)
    for stem, parts in sorted(stems.items()):
        detune = sound["detune"] + rand.normal(0, 3)
        out = synthesise(song, parts, detune, sound["chorus"], n_samples)
        before = rms(out)
        if stem == "drive":
            out = overdrive(out, sound["drive"])
            out *= 0.55 * before / (rms(out) + 1e-9)
        elif stem == "filter":
            out = sweep_filter(out, song, rand)
        elif stem == "pump":
            out = pump(out, song)
        elif stem == "voice":
            rasp = any(p.options.get("rasp") for p in parts)
            out = sing(out, song, parts, sound["tract"], rand, rasp)
        elif stem == "choir":
            out = 0.5 * out + 0.5 * formants(out, rand.choice(list("aou")), 1.08)
        if stem == "voice":
            voice = out
        else:
            mix += out
    if voice is not None:
        mix += balance(voice, mix, sound["voice"])
    if sound["odd"]:
        mix = oddities(mix, rand)
    mix = room(mix, sound["room"], sound["wet"], artist.name)
    bands = [("low", 250, sound["low"]), ("high", 2500, sound["high"])]
    mix = equalise(mix, [*bands, ("peak", *sound["peak"])])
    if sound["narrow"]:
        sos = signal.butter(
            4, (180, sound["narrow"]), "bandpass", fs=RATE, output="sos"
        )
        mix = signal.sosfilt(sos, mix)
    if sound["wow"]:
        mix = wobble(mix, sound["wow"])
    mix = compress(mix, sound["squash"])
    mix /= rms(mix) + 1e-9
    noise = rand.standard_normal(n_samples)
    noise = signal.lfilter([0.3], [1, -0.7], noise)
    mix += noise * 10 ** (sound["hiss"] / 20)
    if sound["hum"]:
        t = np.arange(n_samples) / RATE
        for k, level in ((1, 1.0), (2, 0.6), (3, 0.4)):
            mix += (
                10 ** ((sound["hiss"] + 6) / 20) * level * np.sin(100 * np.pi * k * t)
            )
    return mix


def clip_samples(mix, clip, level):
    """One clip at 16 kHz and the given level (dBFS RMS), peaks rounded off.

    Shape: (n_samples,) at 32 kHz -> (464832,) float32
    """
    first = 2 * CLIP_STEP * clip
    piece = mix[first : first + 2 * WRITTEN_SAMPLES + 2 * 64]
    piece = signal.resample_poly(piece, 1, 2)[:WRITTEN_SAMPLES]
    band = signal.butter(8, (20, 5600), "bandpass", fs=CLIP_RATE, output="sos")
    piece = signal.sosfilt(band, piece)  # LAME cuts at 5.8 kHz: peaks as it sees them
    for _ in range(3):  # rounding takes level away: set it again
        piece = piece * 10 ** (level / 20) / rms(piece)
        over = np.abs(piece) > 0.5
        rounded = 0.5 + 0.25 * np.tanh((np.abs(piece) - 0.5) / 0.25)
        piece = np.where(over, np.sign(piece) * rounded, piece)
    ramp = np.minimum(1, np.arange(WRITTEN_SAMPLES) / 160)
    return (piece * ramp * ramp[::-1]).astype(np.float32)


def write_mp3(path, samples):
    """Write 24 kbit/s constant bit rate; never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    soundfile.write(part, samples, CLIP_RATE, format="MP3", subtype="MPEG_LAYER_III",
                    bitrate_mode="CONSTANT", compression_level=0.9)  # fmt: skip
    decoded = soundfile.read(part)[0]
    if len(decoded) != CLIP_SAMPLES:
        raise ValueError(
            f"{path.name} decodes to {len(decoded)} samples, {CLIP_SAMPLES} were "
            "needed; use soundfile 0.14 with its own libsndfile and LAME"
        )
    part.replace(path)


def render_track(track, song, levels, root, keep=True):
    """Render all clips of a track into the folder; skip it when all are there.

    levels: dBFS RMS of each clip. Returns the number of clips written.
    """
    paths = [Path(root, track.path(k)) for k in range(track.n_clips)]
    if keep and all(p.exists() for p in paths):
        return 0
    mix = render(song, track)
    for clip, path in enumerate(paths):
        write_mp3(path, clip_samples(mix, clip, levels[clip]))
    return len(paths)
