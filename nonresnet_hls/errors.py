"""The errors that a user can cause or meet; everything else is a bug of ours.

The message is one line: the file, key, layer or value, what was wanted, what was got.
The command line prints it without a traceback and ends with `exit_status`.
"""

import reprlib

from nonresnet_hls import notebook


class NonResNetError(Exception):
    """Base of all errors that the command line shows as one line."""

    exit_status = 2

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback; it asks for it by this name."""
        return notebook.error_lines(self)


class RecipeError(NonResNetError):
    """A recipe cannot be found, read or understood."""


class DatasetError(NonResNetError):
    """A data set cannot be found, or is not what it should be."""


class ModelError(NonResNetError):
    """A Keras model holds something that a stage cannot take."""


class ArtefactError(NonResNetError):
    """A file that a stage left is missing, corrupt or of another make."""


class ConversionError(NonResNetError):
    """A quantized model cannot become an HLS project."""


class ToolError(NonResNetError):
    """An external program is missing, of the wrong kind, or failed."""


class ReportError(NonResNetError):
    """A report is truncated, mixed up or corrupted; names file and line."""


def shown(value: object, most: int = 200) -> str:
    """A value as an error shows it: as Python writes it, but no longer than one reads.

    >>> shown("name"), shown(16 ** 5000), shown(list(range(100)), 10)
    ("'name'", 'an integer of 20001 bits', '[0, 1, 2, ...')
    """
    if isinstance(value, int) and value.bit_length() > 10_000:
        return f"an integer of {value.bit_length()} bits"  # which Python refuses to write
    try:
        # Of lists within lists only so much: what YAML says ten times is written ten times.
        text = _BRIEFLY.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."


_BRIEFLY = reprlib.Repr()
_BRIEFLY.maxstring = _BRIEFLY.maxother = _BRIEFLY.maxlong = 200
