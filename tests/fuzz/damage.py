"""Damage to files of every kind, from a seed: bytes, cells, keys, tensors, parts of archives."""

import io
import json
import os
import random
import re
import warnings
import zipfile
from pathlib import Path

# What stands for a number or a text somewhere in a file.
ODD_TEXTS = (
    *("", " ", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0", "-0.0", "-1", "9" * 30),
    *("1.5", "text", "None", "true", "é", "\U0001d518", "\u202e", "x" * 10_000, "2020-13-45"),
    *("1970-01-01", "9999-12-31T23:59:59", "=1+1", "a,b", 'a"b', "<!--", "../..", "a/b", "%s{}"),
)
ODD_VALUES = (
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, 1e-320, 10**30, float("nan"), float("inf")),
    *([], {}, [[]], [None], {"": None}, ["a"], [1e308] * 3, *ODD_TEXTS),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
KINDS = ("bytes", "content", "content", "content", "place")


def damage(path: Path, kind: str, seed: int) -> None:
    """Change a file as the kind and the seed say: its bytes, its content, or what stands there."""
    if path.is_symlink() or not path.is_file():
        return
    rng = random.Random(seed)
    if kind == "place":
        _place(path, rng)
    elif kind == "bytes":
        path.write_bytes(_bytes(path.read_bytes(), rng))
    else:
        changes = {
            ".json": _json_file,
            ".pt": _tensors,
            ".zip": _archive,
            ".hdf5": _hdf5,
            ".npz": _arrays,
            ".csv": _table,
        }
        changes.get(path.suffix, _text)(path, rng)


def _place(path: Path, rng: random.Random) -> None:
    """Let something else stand at a path."""
    path.unlink()
    choice = rng.randrange(6)
    if choice == 1:
        path.mkdir()
    elif choice == 2:
        path.write_bytes(b"")
        path.chmod(0)
    elif choice > 2:
        path.symlink_to(("/dev/full", "/dev/null", path.name)[choice - 3])


def _bytes(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    if not data:
        return b"\0"
    first, second = sorted(rng.randrange(len(data)) for _ in range(2))
    match rng.randrange(7):
        case 0:
            for _ in range(rng.choice((1, 1, 3, 30))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[first:]
        case 2:
            del data[first:second]
        case 3:
            data[first:second] = bytes(second - first)
        case 4:
            data[first:first] = data[first:second]
        case 5:
            middle = (first + second) // 2
            data[first:second] = data[middle:second] + data[first:middle]
        case 6:
            # Headers are where the meaning of the rest stands.
            data[rng.randrange(min(len(data), 256))] = rng.randrange(256)
    return bytes(data)


def _text(path: Path, rng: random.Random) -> None:
    """Change a number, a word or a line."""
    text = path.read_bytes().decode("latin-1")
    if path.suffix == ".mseed" or "\0" in text:
        path.write_bytes(_bytes(path.read_bytes(), rng))
        return
    found = list(NUMBER.finditer(text) if rng.random() < 0.7 else re.finditer(r"\w+", text))
    lines = text.splitlines(keepends=True)
    odd = rng.choice(ODD_TEXTS)
    match rng.randrange(6):
        case 0 if lines:
            del lines[rng.randrange(len(lines))]
            text = "".join(lines)
        case 1 if lines:
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            text = "".join(lines)
        case _ if found:
            place = rng.choice(found)
            text = text[: place.start()] + odd + text[place.end() :]
    path.write_bytes(text.encode("utf-8"))


def _table(path: Path, rng: random.Random) -> None:
    """Change cells, columns or rows of a CSV file."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    if len(rows) < 2:
        _text(path, rng)
        return
    row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    odd = rng.choice(ODD_TEXTS)
    match rng.randrange(8):
        case 0:
            rows = [cells[:column] + cells[column + 1 :] for cells in rows]
        case 1:
            rows = [[*cells, *cells[column : column + 1]] for cells in rows]
        case 2:
            rows[1:] = [[*cells[:column], odd, *cells[column + 1 :]] for cells in rows[1:]]
        case 3:
            rows[row].append("more")
        case 4:
            rows.insert(row, list(rng.choice(rows)))
        case 5:
            del rows[1:]
        case _:
            rows[row][column:column] = [odd]
            del rows[row][column + 1 : column + 2]
    path.write_text("".join(",".join(cells) + "\n" for cells in rows))


def _json_file(path: Path, rng: random.Random) -> None:
    path.write_bytes(_json(path.read_bytes(), rng))


def _json(content: bytes, rng: random.Random) -> bytes:
    """Change a value or a key somewhere in a JSON text."""
    tree = json.loads(content)
    place, key = _somewhere(tree, rng)
    if place is None or rng.random() < 0.03:
        deep = rng.choice((10, 100, 100_000))
        return json.dumps(rng.choice(ODD_VALUES)).encode() if deep == 10 else b"[" * deep
    value = place[key]
    match rng.randrange(8):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[rng.choice(ODD_TEXTS)] = place.pop(key)
        case 2:
            place[key] = [value]
        case 3:
            place[key] = {"value": value}
        case 4 if isinstance(value, str | int | float):
            place[key] = str(value) if not isinstance(value, str) else len(value)
        case 5:
            text = json.dumps(tree)
            mark = json.dumps(str(key))
            return text.replace(f"{mark}:", f"{mark}: null, {mark}:", 1).encode()
        case _:
            place[key] = rng.choice(ODD_VALUES)
    return json.dumps(tree).encode()


def _somewhere(tree: object, rng: random.Random) -> tuple:
    """Return a container in a tree and a key of it; all containers are as likely."""
    places = []
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part))
        if len(keys):
            places.append((part, keys))
        values = part.values() if isinstance(part, dict) else part
        waiting += [value for value in values if isinstance(value, dict | list)]
    if not places:
        return None, None
    part, keys = rng.choice(places)
    return part, rng.choice(list(keys))


def _tensors(path: Path, rng: random.Random) -> None:
    """Change a tensor, or an entry, of a file of torch."""
    import torch

    content = torch.load(path, weights_only=True, map_location="cpu")
    place, key = _somewhere(content, rng)
    value = place[key]
    odd = [None, "text", 1e308, -1, [], {}, torch.tensor(float("nan")), torch.zeros(0)]
    if isinstance(value, torch.Tensor):
        odd += [value.double(), value.flatten(), value[None], value.to(torch.int8)]
        odd += [torch.full_like(value, 1, dtype=torch.bool), value.to(torch.complex64)]
        for number in (float("nan"), float("inf"), 1e30) if value.is_floating_point() else ():
            odd += [torch.full_like(value, number)]
        # NaN among good numbers.
        if value.is_floating_point() and value.numel():
            mixed = value.clone().flatten()
            mixed[rng.randrange(len(mixed))] = float("nan")
            odd += [mixed.reshape(value.shape)]
    match rng.randrange(5):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[rng.choice(("more", 1, ""))] = value
        case _:
            place[key] = rng.choice(odd)
    torch.save(content, path)


def _archive(path: Path, rng: random.Random) -> None:
    """Change a part of a zip archive, its name, or its compression."""
    with zipfile.ZipFile(path) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    number = rng.randrange(len(parts))
    name, content = parts[number]
    packing = zipfile.ZIP_STORED
    match rng.randrange(6):
        case 0:
            del parts[number]
        case 1:
            parts.append((rng.choice(("../x", "/x", "a/b", "more.txt", name)), content))
        case 2:
            parts[number] = (rng.choice(("../x", "/x", "", "other.json")) or "x", content)
        case 3:
            packing = zipfile.ZIP_DEFLATED
        case 4 if name.endswith(".json"):
            parts[number] = (name, _json(content, rng))
        case _:
            parts[number] = (name, _bytes(content, rng))
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in parts:
            archive.writestr(name, content)


def _hdf5(path: Path, rng: random.Random) -> None:
    """Change the arrays or the description of a file of waveforms."""
    import h5py
    import numpy as np

    with h5py.File(path, "r+") as file:
        group = file[rng.choice(("data", "data", "data_format"))]
        name = rng.choice(list(group))
        values = group[name][()]
        del group[name]
        if group.name == "/data_format":
            odd = rng.choice((None, 1, np.zeros(3), "", "XYZ", "CW", "WC", "ZNEX", "m/s", "counts"))
            if odd is not None:
                group[name] = odd
            return
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            odd = (
                *(None, values[0], values[..., :1], values[..., :0], values * np.nan),
                *(np.where(np.arange(values.shape[-1]) == 7, np.inf, values), values * 0),
                *(values * 1e30, values.astype(complex), values.astype("S8"), values.astype(bool)),
                *(values[:, None], values[:, :2], values.astype(np.float64), np.float32(1.0)),
            )
        odd = rng.choice(odd)
        if odd is not None:
            group[name] = odd


def _arrays(path: Path, rng: random.Random) -> None:
    """Change an array of NumPy's npz."""
    import numpy as np

    with np.load(path) as file:
        arrays = dict(file)
    name = rng.choice(list(arrays))
    value = arrays.pop(name)
    if value.dtype.kind == "U":
        text = _json(str(value).encode(), rng).decode("utf-8", errors="replace")
        arrays[name] = np.array(text)
    else:
        odd = (None, value.flatten(), value[..., :1], value[..., :0], value * np.nan, value * 1e300)
        chosen = rng.choice((*odd, value.astype(complex), value.astype(str)))
        if chosen is not None:
            arrays[name] = chosen
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


def give_away(folder: Path, user: int) -> None:
    """Let a folder and all in it belong to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)
