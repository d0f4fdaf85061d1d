"""Files of this computer that are picked, dropped or pasted.

They are picked in the system's own dialog where it has one. Where Qt draws it, it gets our icons:
Qt's own are the last thing of the toolkit's look that a style sheet does not reach.
"""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFileInfo, QMimeData, QSize, Qt
from PySide6.QtGui import QAbstractFileIconProvider, QIcon
from PySide6.QtWidgets import QFileDialog, QPushButton, QToolButton, QTreeView, QWidget

from app.ui.icons import icon
from app.ui.theme import Size, Space, Theme

_TOOLS = {
    "backButton": "arrow-left",
    "forwardButton": "arrow-right",
    "toParentButton": "arrow-up",
    "newFolderButton": "folder-plus",
    "listModeButton": "layout-list",
    "detailModeButton": "table-2",
}

# What is offered when files are picked; any other file is tried, too, when it is picked all the same.
DOCUMENTS = (
    "Documents ("
    "*.adoc *.atom *.bmp *.csv *.docm *.docx *.dotx *.eml *.epub *.geojson *.gif *.gpx *.htm *.html "
    "*.ipynb *.jfif *.jpeg *.jpg *.json *.kml *.latex *.log *.ltx *.markdown *.mbox *.mbx *.md *.mdown "
    "*.mkd *.mkdn *.msg *.odp *.ods *.odt *.org *.otp *.ots *.ott *.pdf *.png *.ppsx *.pptm *.pptx *.rest "
    "*.rss *.rst *.rtf *.tab *.tex *.text *.tif *.tiff *.tsv *.txt *.webp *.xhtml *.xlsm *.xlsx *.xltx "
    "*.xml"
    ");;All files (*)"
)


MODELS = "Models (*.gguf);;All files (*)"


def choose_files(
    theme: Theme,
    parent: QWidget,
    title: str,
    filters: str,
    *,
    then: Callable[[list[str]], object],
    folder: str = "",
    several: bool,
) -> QFileDialog:
    """Let the user pick files; `then` is called with their paths."""
    dialog = QFileDialog(parent, title)
    provider = _Icons(theme)
    # Before the folder: what is listed keeps the icon it was listed with.
    dialog.setIconProvider(provider)
    dialog.setDirectory(folder or str(Path.home()))
    dialog.setNameFilters(filters.split(";;"))
    mode = QFileDialog.FileMode.ExistingFiles if several else QFileDialog.FileMode.ExistingFile
    dialog.setFileMode(mode)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    # The dialog does not keep its provider.
    dialog.destroyed.connect(provider.forget)
    dialog.filesSelected.connect(lambda paths: then(list(paths)))
    dialog.resize(theme.px(760), theme.px(480))
    _dress(dialog, theme)
    dialog.open()
    return dialog


def choose_folder(theme: Theme, parent: QWidget, title: str, *, then: Callable[[str], object]) -> QFileDialog:
    """Let the user pick a folder; `then` is called with its path."""
    dialog = choose_files(theme, parent, title, "", then=lambda paths: then(paths[0]), several=False)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return dialog


def choose_place(
    theme: Theme, parent: QWidget, title: str, name: str, filters: str, *, then: Callable[[str], object]
) -> QFileDialog:
    """Let the user say where a new file goes; `then` is called with its path.

    The dialog asks before an old file is written over.

    Args:
        name: what the file is called unless the user says otherwise.
    """
    dialog = choose_files(theme, parent, title, filters, then=lambda paths: then(paths[0]), several=False)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setDefaultSuffix(Path(name).suffix.removeprefix("."))
    dialog.selectFile(name)
    return dialog


def local_files(data: QMimeData) -> list[str]:
    """The local files and folders of a drag or of the clipboard; what lies elsewhere is left out."""
    paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
    return [
        path for path in paths if path and not path.startswith(("//", "\\\\")) and Path(path).is_absolute()
    ]


def _dress(dialog: QFileDialog, theme: Theme) -> None:
    """Only what Qt draws by itself has these parts."""
    for button in dialog.findChildren(QPushButton):
        button.setIcon(QIcon())
    for tool in dialog.findChildren(QToolButton):
        if name := _TOOLS.get(tool.objectName()):
            tool.setIcon(icon(name, theme.colour("ink2")))
            tool.setIconSize(QSize(Size.ICON, Size.ICON))
    for table in dialog.findChildren(QTreeView):
        table.header().setStretchLastSection(True)
    dialog.setSizeGripEnabled(False)
    if (layout := dialog.layout()) is not None:
        layout.setContentsMargins(Space.LARGE, Space.LARGE, Space.LARGE, Space.LARGE)
        layout.setSpacing(Space.SMALL)


class _Icons(QAbstractFileIconProvider):
    """Folders and files as lines."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        ink, accent = theme.colour("ink2"), theme.colour("accent")
        self._folder, self._file = icon("folder", accent), icon("file-text", ink)
        self._computer = icon("monitor", ink)

    def forget(self) -> None:
        """Held by the dialog's end until then."""

    def icon(self, what: QFileInfo | QAbstractFileIconProvider.IconType) -> QIcon:
        if isinstance(what, QFileInfo):
            return self._folder if what.isDir() else self._file
        kinds = QAbstractFileIconProvider.IconType
        if what == kinds.Folder:
            return self._folder
        return self._file if what == kinds.File else self._computer
