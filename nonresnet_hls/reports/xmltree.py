"""XML reports as small trees: only the elements that carry figures are kept, and nothing is expanded.

Ports, loops and bound operations make up most of an XML report and are passed over, so that memory stays
bounded by the figures. Documents with a DTD, entities or external references are refused (defusedxml).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.sax import parse

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.source import Source

# Children of the root that carry figures, in all kinds of report.
_KEPT = frozenset(
    {
        "AreaEstimates",
        "AreaReport",
        "ModuleInformation",
        "PerformanceEstimates",
        "ReportVersion",
        "RunData",
        "TimingReport",
        "UserAssignments",
        "item",
    }
)
_PASSED_OVER = frozenset({"BindNodes", "Loops", "SummaryOfLoopLatency", "SummaryOfViolations", "table"})
_MOST_ELEMENTS = 300_000
_DEEPEST = 100
_LONGEST_TEXT = 10_000


@dataclass(slots=True)
class Element:
    """One element: tag, 0-based line of its start, text, children in order."""

    tag: str
    line: int
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def find(self, path: str) -> "Element | None":
        """The one element at `path` ("AreaEstimates/Resources"); None if there is none."""
        here: Element | None = self
        for tag in path.split("/"):
            here = next((child for child in here.children if child.tag == tag), None) if here else None
        return here

    def each(self, tag: str) -> Iterator["Element"]:
        """The children called `tag`."""
        return (child for child in self.children if child.tag == tag)


class _Builder(ContentHandler):
    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.root: Element | None = None
        self.open: list[Element] = []
        self.depth = 0  # of all elements, those passed over included
        self.passed_over_at: int | None = None
        self.elements = 0

    def _line(self) -> int:
        return max(0, (self._locator.getLineNumber() or 1) - 1)  # type: ignore[attr-defined]

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802, ARG002 (SAX)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.source.error(self._line(), f"elements nested deeper than {_DEEPEST}")
        if self.passed_over_at is not None:
            return
        if name in _PASSED_OVER or (self.depth == 2 and name not in _KEPT):
            self.passed_over_at = self.depth
            return
        self.elements += 1
        if self.elements > _MOST_ELEMENTS:
            raise self.source.error(self._line(), f"more than {_MOST_ELEMENTS} elements; no report has so many")
        element = Element(name, self._line())
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002 (SAX)
        if self.passed_over_at is None:
            closed = self.open.pop()
            closed.text = closed.text.strip()
        elif self.passed_over_at == self.depth:
            self.passed_over_at = None
        self.depth -= 1

    def characters(self, content: str) -> None:
        if self.passed_over_at is None and self.open and not content.isspace():
            element = self.open[-1]
            if len(element.text) + len(content) > _LONGEST_TEXT:
                raise self.source.error(self._line(), f"text of more than {_LONGEST_TEXT} characters")
            element.text += content


def read_tree(source: Source) -> Element:
    """The tree of an XML report.

    Raises:
        ReportError: not well-formed (a truncated one never is), with a DTD, or too deep or large.
    """
    builder = _Builder(source)
    try:
        parse(io.BytesIO(source.data), builder, forbid_dtd=True)
    except ReportError:
        raise
    except DefusedXmlException as error:
        raise source.error(0, f"a document type, entity or external reference is refused ({error!r})") from None
    except SAXParseException as error:
        line = max(0, (error.getLineNumber() or 1) - 1)
        raise source.error(line, f"not well-formed XML: {error.getMessage()}; truncated or corrupted") from None
    except (SAXException, ValueError, LookupError) as error:
        # LookupError: an encoding that Python does not know; ValueError: one that fits no byte stream.
        raise source.error(0, f"not readable as XML: {error}") from None
    if builder.root is None:
        raise source.error(0, "an XML document without elements")
    return builder.root
