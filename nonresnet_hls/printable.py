"""Text of others as it may be shown: what a terminal would obey is spelled out, not sent."""

import unicodedata


def printable(text: str, keep: str = "") -> str:
    r"""Text with what is no character to be seen (escapes, line breaks, changes of direction) spelled out.

    >>> print(printable("a\x1b[2Jb\n"))
    a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(
        one if one in keep or not _is_control(one) else one.encode("unicode_escape").decode() for one in text
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
