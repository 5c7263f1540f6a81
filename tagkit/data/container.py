"""What a sound file promises: its container, looked at before its sound is believed.

Decoders are kind: of a file that lost a part they give the rest, and say nothing. Here
the sizes, counts and checksums of mp3, ogg, flac, wav and aiff are compared with each
other and with what is there.

Notebook: course/01_dataset_analysis.ipynb
"""

import itertools
import re
import zlib
from pathlib import Path

STREAMED = 0x7FFF_F000  # sizes from here on: its writer did not know the end
TAIL = 4096  # bytes behind the sound that other programs may have left there
# bytes of a sample
WIDTH = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
WIDTH |= {"PCM_S8": 1, "ALAW": 1, "ULAW": 1}
# kbit/s of the frames of an mp3: of MPEG-1, and of its versions with low rates
KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBPS_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# the codes for the rate in the header of a flac's frame
FLAC_RATES = (88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000)
FLAC_RATES = dict(enumerate((*FLAC_RATES, 44_100, 48_000, 96_000), start=1))
MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def promised(sound, path: str | Path) -> float:
    """Give the seconds that a file should hold, 0 where it does not tell.

    Args:
        sound: the file, opened by the decoder: its format, subtype, samplerate,
            channels, frames, and extra_info, the decoder's notes on the header.

    Raises: ValueError with the fault, if parts of the file contradict each other.

    >>> import soundfile
    >>> from tagkit.data import corpus
    >>> path = next((corpus.DATA / "mini" / "0").iterdir())
    >>> promised(soundfile.SoundFile(path), path)
    29.124

    Notebook: course/01_dataset_analysis.ipynb
    """
    if sound.format == "MP3":
        return _mp3_seconds(Path(path).read_bytes(), sound.samplerate)
    rate, notes = sound.samplerate, sound.extra_info
    seconds = sound.frames / rate if sound.frames < 1 << 62 else 0.0
    for said, found in re.findall(r"(?<!sec) +: (\d+) \(should be (\d+)\)", notes):
        if rate < 2 * (int(said) - int(found)) and int(said) < STREAMED:
            return seconds * int(said) / max(1, int(found))
    if sound.format == "OGG":
        _check_ogg(Path(path).read_bytes())
    elif sound.format == "FLAC":
        _check_flac(path)
    elif sound.subtype in WIDTH:
        _check_riff(sound, notes, Path(path).stat().st_size)
    return seconds


def _check_riff(sound, notes, n_bytes):
    """Compare the fields of a wav's or aiff's header with each other."""
    align = sound.channels * WIDTH[sound.subtype]
    found = re.search(r"Block Align +: (\d+)", notes)
    if found and int(found[1]) != align:
        raise ValueError(f"{found[1]} bytes for {sound.channels} of {sound.subtype}")
    for fault in re.findall(
        r"Bytes/sec +: \d+ \(should be \d+\)|Frame count .*", notes
    ):
        raise ValueError(fault)
    found = re.search(r"(?:RIFF|Riff size|FORM) : (\d+)", notes)
    odd = found and (n_bytes - int(found[1])) % 2 and int(found[1]) < STREAMED
    if odd and align % 2 == 0:
        raise ValueError("a byte is missing or too much")
    if "Exiting parser" in notes and n_bytes - sound.frames * align > TAIL:
        raise ValueError("many bytes that belong to no part of it")


def _check_flac(path):
    """Compare the rate in a flac's header with the one in its first frame."""
    with open(path, "rb") as file:
        head = file.read(22)
        if head[:4] != b"fLaC":
            return  # an ID3 tag comes first
        said, block, last = int.from_bytes(head[18:21], "big") >> 4, 4, False
        while not last:
            file.seek(block)
            kind, length = file.read(1) or b"\x80", file.read(3)
            last, block = kind > b"\x7f", block + 4 + int.from_bytes(length, "big")
        file.seek(block + 2)
        found = FLAC_RATES.get(int.from_bytes(file.read(1), "big") & 15, said)
    if said != found:
        raise ValueError(f"rate {said}, but {found} in its frames")


def _check_ogg(data: bytes):
    """Check the sums and the order of all pages, and that there is a last one."""
    at, last, number, begun = 0, False, {}, False
    while at < len(data):
        n_parts = data[at + 26] if at + 26 < len(data) else 255
        page = data[at : at + 27 + n_parts + sum(data[at + 27 : at + 27 + n_parts])]
        # Ogg's sum is zlib's, with the bits of each byte in the other order.
        clean = (page[:22] + bytes(4) + page[26:]).translate(MIRROR)
        total = (zlib.crc32(clean, 0xFFFFFFFF) ^ 0xFFFFFFFF).to_bytes(4, "big")
        stream, count = page[14:18], int.from_bytes(page[18:22], "little")
        if page[:4] != b"OggS" or total.translate(MIRROR) != page[22:26]:
            raise ValueError(f"the page at byte {at} of {len(data)} is not whole")
        if page[5] & 2 and begun:
            raise ValueError(f"a second piece begins at byte {at}, join them as one")
        if count != number.get(stream, count - 1) + 1:
            raise ValueError(f"pages are missing before byte {at} of {len(data)}")
        begun = not page[5] & 2
        at, last, number[stream] = at + len(page), page[5] & 4, count
    if not last:
        raise ValueError("its last page is missing")


def _mp3_seconds(data: bytes, rate: int) -> float:
    """Walk over the frames of an mp3; bytes between them are lost frames."""
    tag = data.rfind(b"APETAGEX", 0, max(0, len(data) - 200))  # else it has no picture
    data = data[:tag] if tag > 0 else data
    kbps, per_frame = (KBPS, 1152) if rate >= 32_000 else (KBPS_LOW, 576)
    at = end = n = told = lost = sound = 0
    sync, sizes, stop = b"\xff", None, len(data) - 10
    while 0 <= at < stop:
        begin, before = at, n
        if sizes and n == 0 and (size := sizes[data[at + 2]]):
            # Of a constant bit rate: all heads at once, if none is out of its place.
            n_all = (stop - at) // size
            heads = (data[at + k : at + n_all * size : size] for k in range(3))
            if all(head == head[:1] * n_all for head in heads):
                at, n = at + n_all * size, n_all
        while sizes and data.startswith(sync, at) and (size := sizes[data[at + 2]]):
            at, n = at + size, n + 1
            if at >= stop:
                break
        if n > before:
            lost += (begin - end) * (before > 0)
            sound, end = sound + at - begin, at
        elif data.startswith(b"ID3", at):
            a, b, c, d = data[at + 6 : at + 10]
            at = end = at + 10 + (a << 21 | b << 14 | c << 7 | d)
        elif not sizes and data[at] == 255 and data[at + 1] & 0xE6 == 0xE2:
            sync, code, sizes = data[at : at + 2], data[at + 2] & 12, [0] * 256
            for i, pad in itertools.product(range(14), range(4)):  # bits: pad, private
                size = per_frame // 8 * 1000 * kbps[i] // rate + pad // 2
                sizes[i + 1 << 4 | code | pad] = size
            xing = max(data.find(word, at, at + 40) for word in (b"Xing", b"Info"))
            if xing > 0 and int.from_bytes(data[xing + 4 : xing + 8], "big") & 1:
                told = int.from_bytes(data[xing + 8 : xing + 12], "big")
        else:
            at = data.find(sync, at + 1)
    frames = n + lost * n / sound if n else 0
    return max(frames, told) * per_frame / rate
