"""Photographs and scans as files: their text by OCR, each image of a file a page."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from app.backend.documents.parsing.messages import Opened, ReadPage, Scanned
from app.backend.documents.parsing.ocr import READ_FROM, Ocr
from app.backend.documents.parsing.source import Source, open_source
from app.errors import DamagedFileError, ParserLimitError

# What a decoded image may have: 80 megapixels are 240 MB.
_PIXELS = 80_000_000
# A fax of many pages is read; the frames of a film are not.
_IMAGES = 500
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF")


def pages(source: Source) -> Iterator[Opened | Scanned | ReadPage]:
    """Read an image; of a moving one only the first.

    Raises:
        DamagedFileError: it is no image, or a broken one.
        ParserLimitError: it is too large to be decoded.
        OSError: it cannot be read.
    """
    ocr = Ocr()
    with open_source(source) as file:
        try:
            with Image.open(file, formats=_FORMATS) as image:
                count = min(getattr(image, "n_frames", 1), _IMAGES) if image.format == "TIFF" else 1
                yield Opened(count)
                frames = ImageSequence.Iterator(image)
                for number in range(1, count + 1):
                    yield Scanned(number)
                    yield ReadPage(number, ocr.read(_pixels(frames[number - 1])), by_ocr=True)
        except UnidentifiedImageError:
            raise DamagedFileError("The image is broken: it cannot be decoded.") from None
        except Image.DecompressionBombError:
            raise ParserLimitError("The image is larger than Carrel decodes.") from None
        except (SyntaxError, ValueError, IndexError, TypeError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            # The decoders raise any of these for what they cannot make sense of.
            raise DamagedFileError("The image is broken: it cannot be decoded.") from None


def _pixels(frame: Image.Image) -> "np.typing.NDArray[np.uint8]":
    """Upright, on white, no larger than is read; shape (height, width, 3), BGR."""
    if frame.width * frame.height > _PIXELS:
        raise ParserLimitError(f"The image has more than {_PIXELS // 1_000_000} megapixels.")
    frame.draft("RGB", (READ_FROM, READ_FROM))  # a JPEG is decoded at a fraction of its size
    upright = ImageOps.exif_transpose(frame)
    upright.thumbnail((READ_FROM, READ_FROM))
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])
