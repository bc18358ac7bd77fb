"""Weight cards for people: as text, and as the README of an archive."""

from collections.abc import Mapping
from html import escape
from typing import Any

# Shown in sections of their own, or named in the description.
ELSEWHERE = ("ranges", "license", "component_order")


def description(info: Mapping[str, Any]) -> str:
    """Return the description of weights, or one made of the card of those that have none.

    Parameters
    ----------
    info : mapping
        Result of `cgmgm_seis.models.weights.weights_info`.
    """
    if text := info["docstring"].strip():
        return str(text)
    card, (low, high) = info["card"], info["ranges"].get("source_magnitude", (None, None))
    if not card and not info["ranges"]:
        return f"{info['model']}, untrained."
    text = f"{info['model']}, trained on {card.get('trained_on', 'unknown data')}"
    if order := card.get("component_order"):
        text += f", components {' '.join(order)}"
    if low is not None:
        text += f", magnitudes {low:.3g} to {high:.3g}"
    return f"{text}."


def card_sections(info: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the entries of a card as texts, by section; single values are in the first one.

    Examples
    --------
    >>> card = {"epochs": 3, "data": {"records": {"train": 384, "dev": 48}, "note": ""}}
    >>> card_sections({"card": card})
    {'Card': {'epochs': '3'}, 'Data': {'records': 'train 384, dev 48'}}
    """
    card = {key: value for key, value in info["card"].items() if key not in ELSEWHERE}
    single = {key: value for key, value in card.items() if not isinstance(value, Mapping)}
    sections = {"Card": single} | {
        _readable(key).capitalize(): value
        for key, value in card.items()
        if isinstance(value, Mapping)
    }
    texts = {
        name: {_readable(key): text for key, value in part.items() if (text := _text(value))}
        for name, part in sections.items()
    }
    return {name: part for name, part in texts.items() if part}


def ranges_section(info: Mapping[str, Any]) -> dict[str, str]:
    """Return the trained ranges as texts."""
    return {column: f"{low:.6g} to {high:.6g}" for column, (low, high) in info["ranges"].items()}


def card_text(info: Mapping[str, Any]) -> str:
    """Return a card as plain text."""
    lines = [f"{info['name']} ({info['model']}, version {info['version']})", description(info)]
    for name, part in {"Trained ranges": ranges_section(info), **card_sections(info)}.items():
        lines += ["", f"{name}:"]
        width = max(map(len, part)) if name == "Trained ranges" else 0
        lines += [f"  {f'{key}:':{width + 1}} {text}" for key, text in part.items()]
    lines += ["", "Files:"]
    for name, digest in info["sha256"].items():
        lines.append(f"  {name}  {info['size_bytes'][name]} bytes  sha256 {digest}")
    return "\n".join(lines)


def card_markdown(info: Mapping[str, Any], license_id: str) -> str:
    """Return a card as a README with the front matter of a model card of Hugging Face.

    Parameters
    ----------
    info : mapping
        Result of `cgmgm_seis.models.weights.weights_info`.
    license_id : str
        SPDX identifier of the licence of the weights.
    """
    lines = [
        "---",
        f"license: {license_id.lower()}",
        "library_name: cgmgm-seis",
        "tags: [seismology, ground-motion, seisbench]",
        "---",
        "",
        f"# {info['name']}, version {info['version']}",
        "",
        description(info),
        "",
        f"Weights of {info['model']} of cgmgm-seis, as a pair of SeisBench's files. Install them "
        "with `cgmgm-seis weights add` and the path or the URL of this archive; then use them with "
        f"`--weights {info['name']}`.",
    ]
    for name, part in {"Trained ranges": ranges_section(info), **card_sections(info)}.items():
        lines += ["", f"## {name}", "", "| what | value |", "| --- | --- |"]
        lines += [f"| {key} | {text} |" for key, text in part.items()]
    return "\n".join(lines) + "\n"


def card_html(info: Mapping[str, Any]) -> str:
    """Return a card as HTML for notebooks; texts of the weights are escaped.

    Parameters
    ----------
    info : mapping
        The entries name, model, version, docstring, ranges and card of
        `cgmgm_seis.models.weights.weights_info`, and, if known, "components" and "citation".

    Examples
    --------
    >>> info = {"name": "<i>", "model": "CGMGM", "version": "1", "docstring": "Mine.", "ranges": {}}
    >>> card_html(info | {"card": {}})
    '<div><strong>&lt;i&gt;</strong> (CGMGM, version 1)<p>Mine.</p></div>'
    """
    title = f"<strong>{escape(info['name'])}</strong> ({escape(info['model'])}"
    title += f", version {escape(str(info['version']))})" if info["version"] else ")"
    parts = [title, f"<p>{escape(description(info))}</p>"]
    first = {
        "trained on": info["card"].get("trained_on"),
        "components": info.get("components"),
        "please cite": info.get("citation"),
    }
    if shown := {key: text for key, value in first.items() if (text := _text(value))}:
        parts.append(_html_table(shown))
    sections = {"Trained ranges": ranges_section(info), **card_sections(info)}
    for name, values in sections.items():
        if values:
            opened = ' open=""' if name == "Trained ranges" else ""
            table = f"<summary>{escape(name)}</summary>{_html_table(values)}"
            parts.append(f"<details{opened}>{table}</details>")
    return f"<div>{''.join(parts)}</div>"


def _html_table(values: Mapping[str, str]) -> str:
    rows = (
        f"<tr><th>{escape(key)}</th><td>{escape(text)}</td></tr>" for key, text in values.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _readable(key: object) -> str:
    return str(key).replace("_", " ")


def _text(value: Any) -> str:
    """Return a value of a card as text, empty if it says nothing."""
    if value is None or value in ("", {}, []):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        parts = {_readable(key): _text(part) for key, part in value.items()}
        separator = "; " if any(", " in text for text in parts.values()) else ", "
        return separator.join(f"{key} {text}" for key, text in parts.items() if text)
    if isinstance(value, list | tuple):
        texts = [_text(part) for part in value]
        return ("; " if any(", " in text for text in texts) else ", ").join(texts)
    return str(value)
