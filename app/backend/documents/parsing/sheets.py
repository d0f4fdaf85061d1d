"""Spreadsheets (XLSX, ODS, XLS): each sheet a table under its name, values as they are shown."""

import datetime
from collections.abc import Iterator

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from app.backend.documents.parsing.archive import check_archive
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.backend.documents.parsing.source import Source, open_source
from app.errors import DamagedFileError, EncryptedFileError, ParserLimitError

# A cell far from the others makes a sheet of all the blank ones between: no paper is so large.
_CELLS = 5_000_000
_Value = int | float | str | bool | datetime.date | datetime.time | datetime.datetime | datetime.timedelta


def pages(source: Source) -> Iterator[Opened | ReadPage]:
    """Read the sheets in their order; hidden ones, too.

    Raises:
        DamagedFileError, EncryptedFileError, ParserLimitError, OSError: as `open_archive`.
    """
    with open_source(source) as file:
        check_archive(file)
        file.seek(0)
        try:
            workbook = CalamineWorkbook.from_filelike(file)
            yield Opened(len(workbook.sheet_names))
            manuscript = Manuscript()
            for name in workbook.sheet_names:
                manuscript.heading(1, name)
                sheet = workbook.get_sheet_by_name(name)
                if sheet.height * sheet.width > _CELLS:
                    raise ParserLimitError(f"The sheet {name} has more than {_CELLS:,} cells.")
                manuscript.table([[_shown(value) for value in row] for row in sheet.iter_rows()])
                yield from manuscript.turn()
        except PasswordError:
            raise EncryptedFileError from None
        except CalamineError:
            raise DamagedFileError("The spreadsheet is broken: its sheets cannot be read.") from None


def _shown(value: _Value) -> str:
    """A cell as its reader would say it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
