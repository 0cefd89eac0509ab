"""Something like speech, by a formula, and how like it is what came out at the other end."""

import functools
import wave

import numpy

from lab import require

PIECE = 0.1  # Seconds that are compared at once, five packets: one that is lost spoils one piece, not the whole.


BAND = {8000: 3400, 16000: 6800}  # Of the telephone, and of G.722, in Hz by samples a second.


@functools.cache
def speech(seconds, rate, band, speaker=0):
    """A voice of changing pitch, vowels, syllables and pauses, no two moments alike, with nothing above `band`; at any
    rate the same."""
    time = numpy.arange(int(seconds * rate)) / rate + 60 * speaker
    turn = 2 * numpy.pi
    # The pitch is 120 Hz, give or take 45; its phase is the integral.
    phase = turn * 120 * time - 30 / 0.7 * numpy.cos(turn * 0.7 * time) - 15 / 0.31 * numpy.cos(turn * 0.31 * time)
    pitch = 120 + 30 * numpy.sin(turn * 0.7 * time) + 15 * numpy.sin(turn * 0.31 * time)
    vowels = [
        (500 + 250 * numpy.sin(turn * 1.3 * time), 200, 1.0),
        (1600 + 600 * numpy.sin(turn * 0.9 * time + 2), 350, 0.6),
        (4500 + 1200 * numpy.sin(turn * 0.57 * time + 1), 600, 0.3)]
    voice = numpy.zeros_like(time)
    for number in range(1, 60):
        tone = number * pitch
        loud = sum(peak * numpy.exp(-((tone - middle) / width) ** 2) for middle, width, peak in vowels)
        voice += numpy.where(tone < band, loud, 0) * numpy.sin(number * phase + number * number)
    syllables = numpy.clip(numpy.sin(turn * (1.7 * time + 0.3 * numpy.sin(turn * 0.23 * time))) + 0.6, 0, None)
    voice *= syllables
    return voice * (0.5 / numpy.abs(voice).max())


def write(path, samples, rate):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(numpy.round(samples * 32767).astype("<i2").tobytes())


def read(path):
    """The rate and each channel of a file of 16-bit samples."""
    with wave.open(path, "rb") as file:
        require(file.getsampwidth() == 2, f"{path}: {file.getsampwidth()} octets a sample")
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return file.getframerate(), [samples[channel::file.getnchannels()] for channel in range(file.getnchannels())]


def alike(what, source, heard, rate, at_least):
    """Two thirds of what was said have to be heard, as like it as that (1 is the same), as loud within 1 dB, and within a
    second. The rest may be spoiled: a machine that does much besides is late now and then."""
    length, found = int(PIECE * rate), []
    loud = numpy.sqrt(numpy.mean(source ** 2)) / 3
    for start in range(0, len(source) - length, length):
        piece = source[start:start + length]
        if numpy.sqrt(numpy.mean(piece ** 2)) > loud:
            likeness, place, gain = best_fit(piece, heard)
            found.append((likeness, (place - start) / rate, gain))
    told = ", ".join(f"{likeness:.3f} after {delay:.3f} s at {gain:.2f}" for likeness, delay, gain in found)
    good = [(delay, gain) for likeness, delay, gain in found if likeness >= at_least]
    require(len(good) > len(found) * 2 / 3, f"{what}: {len(good)} of {len(found)} pieces are alike: {told}")
    delay, gain = numpy.median(good, axis=0)
    require(abs(delay) < 1, f"{what}: {delay:.1f} s late: {told}")
    require(0.89 < gain < 1.12, f"{what}: {gain:.2f} times as loud: {told}")


def best_fit(piece, heard):
    """The highest correlation of a piece with any stretch of what was heard, where that begins, and how loud it is."""
    if len(heard) < len(piece):
        return 0.0, 0, 0.0
    size = len(heard) + len(piece)
    products = numpy.fft.irfft(numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(piece, size)), size)
    products = products[:len(heard) - len(piece) + 1]
    sums = numpy.concatenate(([0.0], numpy.cumsum(heard ** 2)))
    energies = sums[len(piece):] - sums[:-len(piece)]
    likeness = products / numpy.sqrt(numpy.maximum(energies, 1e-6) * numpy.sum(piece ** 2))
    place = int(numpy.argmax(likeness))
    return float(likeness[place]), place, float(numpy.sqrt(energies[place] / numpy.sum(piece ** 2)))
