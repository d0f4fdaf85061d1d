"""Text in images, by RapidOCR on the processor. Only ever imported in the parsing child.

Its models come inside its package: nothing is fetched. The child's memory is what bounds the
sizes here: 630 MB of address space at the largest image, 950 if lines were looked for at 1,280
pixels, where nothing more was found (measured).
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.backend.documents.parsing.reading_order import Piece, columns

# The longer side of the image that lines are looked for in, in pixels; of the one they are read from.
LOOKED_AT = 960
READ_FROM = 2_000
# Below this the engine guesses more than it reads.
_LEAST_SURE = 0.5
# Between paragraphs, in heights of a line.
_PARAGRAPH_GAP = 0.9
_SETTINGS: dict[str, object] = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "critical",
    "Global.max_side_len": READ_FROM,
    "Global.text_score": _LEAST_SURE,
    # Lines that stand on their heads are rare, and asking each costs a fifth of the time.
    "Global.use_cls": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": LOOKED_AT,
    "Rec.rec_batch_num": 1,
}

Image = NDArray[np.uint8]


class Ocr:
    """The engine, loaded once for all pages of a file."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._engine = _engine()

    def read(self, image: Image) -> str:
        """The text of an image, top to bottom and column by column; a blank line between paragraphs.

        Args:
            image: shape (height, width, 3), BGR.
        """
        found = self._engine(image)
        if found.boxes is None or not found.txts:
            return ""
        lines = [_Line(box, said) for box, said in zip(found.boxes, found.txts, strict=True)]
        return "\n\n".join(_paragraphs(_in_order(lines)))


def _engine() -> Any:
    """RapidOCR with the models of its own package, named by path: it would look for them online."""
    # It imports requests for downloads that never happen here, and that opens a socket to see
    # whether the machine speaks IPv6.
    absent = ModuleType("requests")
    absent.__dict__.update(Response=object, RequestException=OSError)
    sys.modules.setdefault("requests", absent)
    rapidocr = import_module("rapidocr")
    models = Path(rapidocr.__path__[0]) / "models"
    paths = {
        f"{part}.model_path": str(next(models.glob(f"*_{part.lower()}_*.onnx"))) for part in ("Det", "Rec")
    }
    return rapidocr.RapidOCR(params=_SETTINGS | paths)


class _Line:
    """A line the engine found; pixels, y downwards."""

    def __init__(self, box: NDArray[np.float32], said: str) -> None:
        """`box` has shape (4, 2): its corners."""
        self.left, self.top = (float(least) for least in box.min(axis=0))
        self.right, self.bottom = (float(most) for most in box.max(axis=0))
        self.text = said

    @property
    def height(self) -> float:
        return self.bottom - self.top


def _in_order(lines: Sequence[_Line]) -> list[_Line]:
    """The lines by columns and rows; those beside each other in a row become one."""
    pieces = [Piece(line.left, line.right, line.top, line.height, len(line.text)) for line in lines]
    groups = columns(pieces) or [list(range(len(lines)))]
    ordered: list[_Line] = []
    for group in groups:
        row: list[_Line] = []
        for line in sorted((lines[place] for place in group), key=lambda line: line.top):
            if row and line.top > row[0].top + row[0].height / 2:
                ordered.append(_row(row))
                row = []
            row.append(line)
        ordered.append(_row(row))
    return ordered


def _row(parts: list[_Line]) -> _Line:
    first, *others = sorted(parts, key=lambda line: line.left)
    first.text = " ".join([first.text, *(line.text for line in others)])
    first.right = max(line.right for line in parts)
    return first


def _paragraphs(lines: Sequence[_Line]) -> list[str]:
    """Lines joined where they follow closely, with words that were divided whole again."""
    usual = sorted(line.height for line in lines)[len(lines) // 2]
    paragraphs = [lines[0].text]
    for above, line in pairwise(lines):
        gap = line.top - above.bottom
        if gap > _PARAGRAPH_GAP * usual or gap < -2 * usual:
            paragraphs.append(line.text)
        elif paragraphs[-1].endswith("-") and paragraphs[-1][-2:-1].isalpha() and line.text[:1].islower():
            paragraphs[-1] = paragraphs[-1][:-1] + line.text
        else:
            paragraphs[-1] += "\n" + line.text
    return paragraphs
