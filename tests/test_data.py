from __future__ import annotations

import errno
import hashlib
import json
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.mix import Choice, Task, Value
from ablate.tasks import files, storage
from ablate.tasks.data import (
    PHOTOS,
    DataError,
    Dataset,
    Photo,
    check_task,
    load,
    require_size,
    sources,
)
from ablate.tasks.images import MOST_PIXELS, ImageError, as_float, read_image

RGB = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)

FULL = Path("/dev/full")


def picture(seed: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def put(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def fill(folder: Path, names: str, first: int = 0) -> None:
    for seed, name in enumerate(names.split(), first):
        put(folder / name, picture(seed))


def read(source: str, base: Path, **knobs: Value) -> Dataset:
    return load(Choice.of(source, knobs), base)


def complaint(act: Callable[[], object], kind: type[Exception] = DataError) -> str:
    """The one line that an act fails with."""
    with pytest.raises(kind) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    return message


# The shipped photographs


def test_the_shipped_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((PHOTOS / "MANIFEST.json").read_text(encoding="utf-8"))
    for item in manifest:
        assert hashlib.sha256((PHOTOS / item["file"]).read_bytes()).hexdigest() == item["sha256"]
    on_disk = {path.relative_to(PHOTOS).as_posix() for path in PHOTOS.glob("*/*")}
    assert on_disk == {item["file"] for item in manifest}


def test_every_shipped_photograph_is_attributed() -> None:
    attribution = (PHOTOS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for item in json.loads((PHOTOS / "MANIFEST.json").read_text(encoding="utf-8")):
        line = next(line for line in attribution.splitlines() if item["file"] in line)
        assert item["author"] in line
        assert item["license"] in line
        assert item["change"] in line


def test_the_photographs_are_six_to_train_on_and_three_others_to_validate() -> None:
    photos = read("photos", Path())
    assert (len(photos.train), len(photos.validation)) == (6, 3)
    assert all(min(photo.size) >= 870 for photo in (*photos.train, *photos.validation))
    assert not photos.paired
    assert photos.digest == read("photos", Path("/")).digest


def test_every_knob_of_every_source_says_what_it_is() -> None:
    for name in sources:
        assert all(knob.doc for knob in sources[name].knobs.values())


# Reading pictures


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_a_lossless_picture_is_read_exactly(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read_image(path), RGB)


def test_a_jpeg_is_read_as_colour(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    Image.fromarray(flat).save(tmp_path / "a.jpg", quality=98, subsampling=0)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - flat).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "jpg"])
def test_grey_becomes_three_equal_channels(suffix: str, tmp_path: Path) -> None:
    grey = np.tile(np.arange(0, 240, 10, dtype=np.uint8)[:, None], (1, 16))
    Image.fromarray(grey).save(
        tmp_path / f"a.{suffix}", **({"quality": 100} if suffix == "jpg" else {})
    )
    levels = read_image(tmp_path / f"a.{suffix}")
    assert np.array_equal(levels[:, :, 0], levels[:, :, 2])
    assert np.abs(levels[:, :, 0].astype(int) - grey).max() <= (2 if suffix == "jpg" else 0)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_keeps_its_sixteen_bits(suffix: str, tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 24 * 16).astype(np.uint16).reshape(24, 16)
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    levels = read_image(tmp_path / f"a.{suffix}")
    assert levels.dtype == np.uint16
    assert np.array_equal(levels, np.repeat(grey[:, :, None], 3, axis=2))


def test_big_endian_sixteen_bit_grey_tiff_is_read_right(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 24 * 16).astype(np.uint16).reshape(24, 16)
    (tmp_path / "a.tif").write_bytes(tiff(grey, ">"))
    assert np.array_equal(read_image(tmp_path / "a.tif")[:, :, 1], grey)


def test_palette_and_two_level_pictures_are_read_as_their_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB).quantize(7)
    palette.save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png"), np.asarray(palette.convert("RGB")))
    two = Image.fromarray((RGB[:, :, 0] > 127).astype(np.uint8) * 255).convert("1", dither=0)
    two.save(tmp_path / "two.png")
    assert np.array_equal(read_image(tmp_path / "two.png")[:, :, 0], (RGB[:, :, 0] > 127) * 255)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_an_opaque_alpha_channel_is_dropped(suffix: str, tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    lossless = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(rgba).save(tmp_path / f"a.{suffix}", **lossless)
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}"), RGB)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_the_exif_orientation_is_applied_once(suffix: str, tmp_path: Path) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # the top left corner
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    stored = Image.fromarray(np.rot90(upright))
    lossless = {"lossless": True} if suffix == "webp" else {}
    stored.save(tmp_path / f"a.{suffix}", exif=exif, **lossless)
    levels = read_image(tmp_path / f"a.{suffix}")
    assert levels.shape == upright.shape
    assert np.abs(levels.astype(int) - upright).max() < 12


def test_a_jpeg_that_carries_further_pictures_is_its_first(tmp_path: Path) -> None:
    first, second = (np.full((16, 16, 3), level, np.uint8) for level in (60, 200))
    more = [Image.fromarray(second)]
    Image.fromarray(first).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=more)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - first).max() <= 2


def test_levels_of_eight_and_sixteen_bits_become_the_same_fractions() -> None:
    eight = as_float(np.array([[[0, 51, 255]]], np.uint8))
    sixteen = as_float(np.array([[[0, 13107, 65535]]], np.uint16))
    assert eight.dtype == sixteen.dtype == np.float32
    assert np.allclose(eight, [0.0, 0.2, 1.0])
    assert np.allclose(eight, sixteen)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, more: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + more
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def tiff(pixels: np.ndarray, order: str, *, bits: int = 16, black: int = 1, form: int = 1) -> bytes:
    """An uncompressed TIFF of one strip, 16 bits, grey or RGB."""
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    body = pixels.astype(np.dtype(np.uint16).newbyteorder(order)).tobytes()
    start = 8 + len(body)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, samples, bits), (259, 3, 1, 1)]
    entries += [(262, 3, 1, black if samples == 1 else 2), (273, 4, 1, 8), (277, 3, 1, samples)]
    entries += [(278, 4, 1, height), (279, 4, 1, len(body))]
    entries += [(339, 3, 1, form)]
    depths = start + 2 + 12 * len(entries) + 4
    table = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        if tag == 258 and samples == 3:
            value = depths
        packed = (
            struct.pack(order + "HH", value, 0)
            if kind == 3 and count == 1
            else struct.pack(order + "I", value)
        )
        table += struct.pack(order + "HHI", tag, kind, count) + packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    return head + body + table + struct.pack(order + "I", 0) + struct.pack(order + "3H", 16, 16, 16)


def save_as(mode: str, name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(RGB).convert(mode).save(folder / name)
        return folder / name

    return write


def write_bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def cut(name: str, fraction: float) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        whole = put(folder / f"whole{Path(name).suffix}", picture(0, 64, 64)).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * fraction)])
        return folder / name

    return write


def flipped_png(folder: Path) -> Path:
    content = bytearray(put(folder / "whole.png", RGB).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "flipped.png").write_bytes(content)
    return folder / "flipped.png"


def transparent(folder: Path) -> Path:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[3, 4, 3] = 254
    Image.fromarray(rgba).save(folder / "a.png")
    return folder / "a.png"


def transparent_palette(folder: Path) -> Path:
    Image.fromarray(RGB).quantize(8).save(folder / "a.png", transparency=0)
    return folder / "a.png"


def transparent_colour(folder: Path) -> Path:
    r, g, b = (int(level) for level in RGB[0, 0])
    Image.fromarray(RGB).save(folder / "a.png", transparency=(r, g, b))
    return folder / "a.png"


def float_tiff(folder: Path) -> Path:
    Image.fromarray(RGB[:, :, 0].astype(np.float32) / 255).save(folder / "a.tif")
    return folder / "a.tif"


def int_tiff(folder: Path) -> Path:
    Image.fromarray(RGB[:, :, 0].astype(np.int32)).save(folder / "a.tif")
    return folder / "a.tif"


def animation(folder: Path) -> Path:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(folder / "a.webp", save_all=True, append_images=frames[1:])
    return folder / "a.webp"


def pages(folder: Path) -> Path:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(folder / "a.tif", save_all=True, append_images=frames[1:])
    return folder / "a.tif"


def deep_rows(channels: int) -> bytes:
    return (b"\0" + bytes(range(4 * 2 * channels))) * 4


DEEP = np.arange(4 * 4 * 3, dtype=np.uint16).reshape(4, 4, 3) * 1000
TRANSPARENT_DEEP = png(4, 4, 16, 0, deep_rows(1), png_chunk(b"tRNS", b"\0\1"))
BOMB = png(100_000, 100_000, 8, 2, b"")
LARGE = png(10_000, MOST_PIXELS // 10_000 + 1, 8, 0, b"")

NONE = "there is no {} image; expected at least 1, got 0"
NO_IMAGE = "not a PNG, JPEG, WebP, BMP or TIFF image; it begins with b"
REFUSED = [
    (write_bytes("a.png", b""), "the file is empty (0 bytes)"),
    (
        write_bytes("a.png", b"hello, this is no picture"),
        NO_IMAGE + "'hello, t'",
    ),
    (save_as("RGB", "a.gif"), NO_IMAGE + "'GIF"),
    (cut("a.png", 0.6), "damaged or cut short ("),
    (cut("a.jpg", 0.6), "damaged or cut short ("),
    (cut("a.webp", 0.6), "damaged or cut short ("),
    (cut("a.bmp", 0.6), "damaged or cut short ("),
    (flipped_png, "damaged or cut short ("),
    (write_bytes("a.png", BOMB), "more than 80 megapixels"),
    (write_bytes("a.png", LARGE), "more than 80 megapixels: 10000 x 8001"),
    (write_bytes("a.png", png(4, 4, 16, 2, deep_rows(3))), "16-bit colour; save it with 8 bits"),
    (write_bytes("a.png", png(4, 4, 16, 6, deep_rows(4))), "16-bit colour; save it with 8 bits"),
    (write_bytes("a.png", png(4, 4, 16, 4, deep_rows(2))), "16-bit colour; save it with 8 bits"),
    (write_bytes("a.tif", tiff(DEEP, "<")), "16-bit colour; save it with 8 bits"),
    (write_bytes("a.tif", tiff(DEEP[:, :, 0], "<", bits=12)), "12-bit grey; save it with 8 or 16"),
    (write_bytes("a.tif", tiff(DEEP[:, :, 0], "<", black=0)), "16-bit grey whose zero is white;"),
    (
        write_bytes("a.tif", tiff(DEEP[:, :, 0], "<", form=2)),
        "16-bit signed levels; save it with",
    ),
    (
        write_bytes("a.png", TRANSPARENT_DEEP),
        "16-bit grey whose level 1 is transparent; save it without that",
    ),
    (float_tiff, "32-bit floating-point levels; save it with 8 bits, or 16 bits grey"),
    (int_tiff, "32-bit signed levels; save it with 8 bits, or 16 bits grey"),
    (transparent, "partly transparent (alpha down to 254 of 255); save it without an alpha"),
    (transparent_palette, "partly transparent (alpha down to 0 of 255); save"),
    (transparent_colour, "partly transparent"),
    (save_as("CMYK", "a.jpg"), "colour mode CMYK; save it as RGB or grey"),
    (save_as("LAB", "a.tif"), "colour mode LAB; save it as RGB or grey"),
    (animation, "2 frames or pages in one file; save each as a file of its own"),
    (pages, "2 frames or pages in one file; save each as a file of its own"),
]


@pytest.mark.parametrize(("write", "reason"), REFUSED)
def test_what_would_be_read_wrongly_is_refused(
    write: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path)
    message = complaint(lambda: read_image(path), ImageError)
    assert message.startswith(reason)
    assert tmp_path.as_posix() not in message


def test_a_missing_picture_is_said_to_be_missing(tmp_path: Path) -> None:
    message = complaint(lambda: read_image(tmp_path / "no.png"), ImageError)
    assert message == "no such file or directory"


def test_reading_leaves_the_warning_filters_as_they_were(tmp_path: Path) -> None:
    before = list(warnings.filters)
    fill(tmp_path / "in", "a.png b.png c.png")
    read("folder", tmp_path, train="in")
    assert list(warnings.filters) == before


# A folder of clean images


def test_a_folder_holds_out_at_least_one_image_and_always_the_same(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png b.png sub/c.png d.bmp .hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    first, second = read("folder", tmp_path, train="in"), read("folder", tmp_path, train="in")
    names = [photo.name for photo in (*first.train, *first.validation)]
    assert sorted(names) == ["a.png", "b.png", "d.bmp", "sub/c.png"]
    assert len(first.validation) == 1
    assert first.validation[0].name == second.validation[0].name
    assert first.digest == second.digest


@pytest.mark.parametrize(("holdout", "held"), [(0.1, 1), (0.25, 2), (0.5, 4), (0.99, 7)])
def test_the_fraction_held_out_is_the_one_asked_for(
    holdout: float, held: int, tmp_path: Path
) -> None:
    fill(tmp_path / "in", " ".join(f"{n}.png" for n in range(8)))
    dataset = read("folder", tmp_path, train="in", holdout=holdout)
    assert (len(dataset.train), len(dataset.validation)) == (8 - held, held)


def test_a_larger_fraction_holds_out_the_same_images_and_more(tmp_path: Path) -> None:
    fill(tmp_path / "in", " ".join(f"{n}.png" for n in range(8)))
    few, more = (
        {photo.name for photo in read("folder", tmp_path, train="in", holdout=h).validation}
        for h in (0.2, 0.6)
    )
    assert few < more


def test_a_validation_folder_is_used_whole(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png b.png")
    fill(tmp_path / "val", "a.png c.png", first=7)
    dataset = read("folder", tmp_path, train="in", validation=str(tmp_path / "val"))
    assert [photo.name for photo in dataset.train] == ["a.png", "b.png"]
    assert [photo.name for photo in dataset.validation] == ["a.png", "c.png"]
    assert np.array_equal(dataset.validation[0].clean, picture(7))


def test_the_digest_depends_on_every_pixel_and_name_but_not_on_the_place(tmp_path: Path) -> None:
    digests = []
    for place, names, first in (
        ("one", "a.png b.png", 0),
        ("two", "a.png b.png", 0),
        ("three", "a.png c.png", 0),
        ("four", "a.png b.png", 1),
    ):
        fill(tmp_path / place, names, first)
        fill(tmp_path / "val", "v.png", 50)
        digests.append(read("folder", tmp_path, train=place, validation="val").digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_same_picture_in_both_parts_is_named_whatever_its_format(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png b.png")
    fill(tmp_path / "val", "x.png", 9)
    put(tmp_path / "val" / "sub" / "copy.bmp", picture(1))
    message = complaint(lambda: read("folder", tmp_path, train="in", validation="val"))
    assert message == (
        "training and validation must not share a picture, but these are equal:"
        " b.png (training) = sub/copy.bmp (validation)"
    )


def test_a_missing_folder_is_named_with_its_knob(tmp_path: Path) -> None:
    message = complaint(lambda: read("folder", tmp_path, train="nowhere"))
    assert message == f"train: there is no folder {tmp_path / 'nowhere'}"


def test_a_file_in_place_of_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    put(tmp_path / "a.png", RGB)
    message = complaint(lambda: read("folder", tmp_path, train="a.png"))
    assert message == f"train: {tmp_path / 'a.png'} is a file, not a folder"


def test_an_empty_name_is_not_the_folder_of_the_study(tmp_path: Path) -> None:
    message = complaint(lambda: read("folder", tmp_path, train=""))
    assert message == "train must name a folder; got an empty name"


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert complaint(lambda: read("folder", tmp_path, train="in")) == (
        f"{tmp_path / 'in'} holds no image (.png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff);"
        " it holds nothing"
    )
    (tmp_path / "in" / "a.heic").touch()
    (tmp_path / "in" / "b.heic").touch()
    assert complaint(lambda: read("folder", tmp_path, train="in")).endswith("it holds 2 x .heic")


def test_unreadable_images_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png b.png")
    for number in range(7):
        (tmp_path / "in" / f"bad{number}.png").touch()
    message = complaint(lambda: read("folder", tmp_path, train="in"))
    named = "; ".join(f"bad{number}.png: the file is empty (0 bytes)" for number in range(5))
    assert message == (f"7 of 9 images in {tmp_path / 'in'} cannot be read: {named}; and 2 more")


def test_one_image_cannot_be_split(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png")
    message = complaint(lambda: read("folder", tmp_path, train="in"))
    assert message == (
        f"{tmp_path / 'in'} holds 1 image, which cannot be both trained and validated on;"
        " add images, or name a folder for validation"
    )


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.5, float("nan")])
def test_a_wrong_holdout_is_refused(holdout: float, tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png b.png")
    message = complaint(lambda: read("folder", tmp_path, train="in", holdout=holdout))
    assert message == f"holdout must be between 0 and 1; got holdout={holdout:g}"


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_a_full_disk_says_which_setting_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "in", "a.png b.png")
    monkeypatch.setattr(files.tempfile, "TemporaryFile", partial(FULL.open, "r+b", 0))
    message = complaint(lambda: read("folder", tmp_path, train="in"))
    assert message.startswith("no room for the decoded images in ")
    assert message.endswith(" (No space left on device); set TMPDIR to a folder on a larger disk")


# Pairs


def put_pairs(base: Path, *stems: str, first: int = 0) -> None:
    for seed, stem in enumerate(stems, first):
        put(base / "input" / f"{stem}.png", picture(100 + seed))
        put(base / "target" / f"{stem}.bmp", picture(seed))


def test_pairs_are_matched_by_name_whatever_the_suffix(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b", "sub/c")
    dataset = read("pairs", tmp_path, input="input", target="target")
    assert dataset.paired
    by_name = {photo.name: photo for photo in (*dataset.train, *dataset.validation)}
    assert sorted(by_name) == ["a", "b", "sub/c"]
    assert np.array_equal(by_name["b"].clean, picture(1))
    assert by_name["b"].degraded is not None
    assert np.array_equal(by_name["b"].degraded, picture(101))
    assert len(dataset.validation) == 1


def test_pairs_may_have_folders_for_validation(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    put_pairs(tmp_path / "val", "a", first=20)
    dataset = read(
        "pairs",
        tmp_path,
        input="input",
        target="target",
        validation_input="val/input",
        validation_target="val/target",
    )
    assert (len(dataset.train), len(dataset.validation)) == (2, 1)


def test_images_without_a_twin_are_named_on_both_sides(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    put(tmp_path / "input" / "extra.png", RGB)
    put(tmp_path / "target" / "other.png", RGB)
    message = complaint(lambda: read("pairs", tmp_path, input="input", target="target"))
    assert message == (
        "inputs and targets must have the same names;"
        f" 1 of 3 images in {tmp_path / 'input'} have no twin: extra.png;"
        f" 1 of 3 images in {tmp_path / 'target'} have no twin: other.png"
    )


def test_pairs_of_different_sizes_are_named_with_both(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    put(tmp_path / "input" / "b.png", picture(5, 16, 24))
    message = complaint(lambda: read("pairs", tmp_path, input="input", target="target"))
    assert message == (
        f"1 of 2 pairs differ in size ({tmp_path / 'input'} against {tmp_path / 'target'}):"
        " b: 24 x 16 against 48 x 32"
    )


def test_two_files_that_differ_in_suffix_alone_are_named(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    put(tmp_path / "input" / "a.jpg", picture(3))
    message = complaint(lambda: read("pairs", tmp_path, input="input", target="target"))
    assert message == (
        f"{tmp_path / 'input'}: a.jpg and a.png have one name but for the suffix,"
        " so it is not clear which of them makes the pair"
    )


def test_one_validation_folder_of_two_is_refused(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    message = complaint(
        lambda: read("pairs", tmp_path, input="input", target="target", validation_input="input")
    )
    assert message == (
        "validation_input and validation_target must both name a folder, or both be empty;"
        " got validation_input='input', validation_target=''"
    )


def test_a_target_in_both_parts_is_refused_however_its_input_was_made(tmp_path: Path) -> None:
    put_pairs(tmp_path, "a", "b")
    put(tmp_path / "vi" / "c.png", picture(70))
    put(tmp_path / "vt" / "c.png", picture(1))
    message = complaint(
        lambda: read(
            "pairs",
            tmp_path,
            input="input",
            target="target",
            validation_input="vi",
            validation_target="vt",
        )
    )
    assert message.endswith("these are equal: b (training) = c (validation)")


def test_data_and_degradation_must_fit_one_another() -> None:
    pairs, photos = Choice(name="pairs"), Choice(name="photos")
    given, rain = Choice(name="given"), Choice(name="rain")
    check_task(Task(data=pairs, degradation=given))
    check_task(Task(data=photos, degradation=rain))
    assert complaint(lambda: check_task(Task(data=pairs, degradation=rain)), ValueError) == (
        "data 'pairs' holds degraded images already, so the degradation must be 'given'; got 'rain'"
    )
    assert complaint(lambda: check_task(Task(data=photos, degradation=given)), ValueError) == (
        "degradation 'given' needs data that comes as pairs; got data 'photos'"
    )


def test_an_unknown_source_is_told_its_nearest_name() -> None:
    message = complaint(lambda: read("foto", Path()), ValueError)
    assert message.startswith("no data source is named 'foto'; did you mean 'photos'?")


# The dataset


def small() -> Dataset:
    grey = np.repeat(np.arange(7 * 5, dtype=np.uint16).reshape(7, 5, 1), 3, axis=2)
    return Dataset.of(
        [Photo("a", picture(0, 9, 11), picture(1, 9, 11)), Photo("b", grey)],
        [Photo("ünïcode/c", picture(2, 3, 4))],
    )


def test_a_saved_dataset_is_read_back_the_same(tmp_path: Path) -> None:
    dataset = small()
    dataset.save(tmp_path / "data.npy")
    again = Dataset.read(tmp_path / "data.npy")
    assert again.digest == dataset.digest
    for part in ("train", "validation"):
        for one, other in zip(getattr(dataset, part), getattr(again, part), strict=True):
            assert one.name == other.name
            assert one.clean.dtype == other.clean.dtype
            assert np.array_equal(one.clean, other.clean)
            assert (one.degraded is None) == (other.degraded is None)
    assert again.train[0].degraded is not None
    assert np.array_equal(again.train[0].degraded, picture(1, 9, 11))
    assert [path.name for path in tmp_path.iterdir()] == ["data.npy"]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.npy"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        small().save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [0, 5, 100, 400, 900])
def test_a_dataset_that_is_cut_short_is_said_to_be_damaged(length: int, tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    small().save(path)
    path.write_bytes(path.read_bytes()[:length])
    message = complaint(lambda: Dataset.read(path))
    assert message.startswith(f"{path} is not a saved dataset, or is damaged (")
    assert "\n" not in message


def test_another_array_is_not_a_dataset(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(100, dtype=np.uint8))
    message = complaint(lambda: Dataset.read(tmp_path / "x.npy"))
    assert "x.npy is not a saved dataset, or is damaged (" in message


def test_a_dataset_of_another_format_is_named_with_the_one_that_is_read(tmp_path: Path) -> None:
    index = b'{"format": "ablate images 0"}'
    head = len(index).to_bytes(8, "little")
    np.save(tmp_path / "x.npy", np.frombuffer(head + index, dtype=np.uint8))
    message = complaint(lambda: Dataset.read(tmp_path / "x.npy"))
    assert message.endswith("(it is of format 'ablate images 0'; expected 'ablate images 1')")


def test_a_missing_dataset_is_said_to_be_missing(tmp_path: Path) -> None:
    message = complaint(lambda: Dataset.read(tmp_path / "x.npy"))
    assert message == f"{tmp_path / 'x.npy'} is not a saved dataset: no such file"


def test_a_part_without_images_is_refused() -> None:
    assert complaint(lambda: Dataset.of([], [Photo("a", RGB)])) == NONE.format("training")
    assert complaint(lambda: Dataset.of([Photo("a", RGB)], [])) == NONE.format("validation")


def test_images_smaller_than_a_crop_are_named_with_their_sizes() -> None:
    dataset = Dataset.of(
        [Photo("a", picture(0, 64, 64)), Photo("b", picture(1, 32, 80))],
        [Photo("c", picture(2, 100, 90))],
    )
    require_size(dataset, 32, 90)
    require_size(dataset, 32, 0)
    assert complaint(lambda: require_size(dataset, 64, 0)) == (
        "1 of 2 training images are smaller than the 64 x 64 pixels of a training crop:"
        " b is 80 x 32"
    )
    assert complaint(lambda: require_size(dataset, 32, 96)) == (
        "1 of 1 validation images are smaller than the 96 x 96 pixels of a validation crop:"
        " c is 90 x 100"
    )


def test_a_full_disk_names_the_file_that_found_no_room(tmp_path: Path) -> None:
    def full(file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as error:
        storage._replace(tmp_path / "data.npy", full)
    assert error.value.filename == str(tmp_path / "data.npy")
    assert not list(tmp_path.iterdir())
