"""Text files in the encodings that spreadsheets and old archives write."""

import codecs

# The mark of UTF-32 begins with that of UTF-16, and comes first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def decoded(content: bytes) -> str | None:
    """Return a text in UTF-8, in UTF-16 or UTF-32 with a byte order mark, or in Latin-1.

    Returns
    -------
    str or None
        None if the content is binary.

    Examples
    --------
    >>> decoded("Zürich".encode("latin-1")) == decoded("Zürich".encode("utf-16")) == "Zürich"
    True
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        return None
    for name in (encoding,) if encoding else ("utf-8", "latin-1"):
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    return None
