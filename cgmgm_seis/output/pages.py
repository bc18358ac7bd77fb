"""Pages for a browser in one file each, made of the HTML, CSS and JavaScript in the package."""

import json
import re
from importlib.resources import files
from typing import Any


def fill_page(package: str, name: str, **parts: str) -> str:
    """Return a page of a package's folder ``web`` with every ``{{part}}`` replaced.

    Parameters
    ----------
    package : str
        Name of the package, such as "cgmgm_seis.grid".
    name : str
        File name of the page.
    **parts : str
        HTML by name; texts of others must be escaped, see `html.escape` and `script_data`.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], web_file(package, name))


def web_file(package: str, name: str) -> str:
    """Return the text of a file in a package's folder ``web``."""
    return (files(package) / "web" / name).read_text(encoding="utf-8")


def script_data(content: Any) -> str:
    r"""Return JSON for an element ``<script type="application/json">``.

    ``</script`` in a text would end the element, and ``<!--<script`` would hide its end.

    Examples
    --------
    >>> script_data({"code": "</script>"})
    '{"code": "\\u003c/script>"}'
    """
    return json.dumps(content).replace("<", "\\u003c")


def map_parts() -> dict[str, str]:
    """Return style and script of pages with a map: Leaflet with its licence, and our own."""
    own = "cgmgm_seis.output"
    licence = web_file(own, "leaflet/LICENSE")
    style = web_file(own, "leaflet/leaflet.css"), web_file(own, "shaking_map.css")
    script = f"/*\n{licence}*/", web_file(own, "leaflet/leaflet.js")
    return {
        "map_style": "\n".join(style),
        "map_script": "\n".join([*script, web_file(own, "shaking_map.js")]),
    }
