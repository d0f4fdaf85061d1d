"""Links in answers: never followed by themselves."""

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.ui.dialogs import confirm
from app.ui.theme import Theme


def open_link(theme: Theme, address: str, parent: QWidget) -> None:
    """Open an http(s) address in the browser, if the user says so after seeing it whole."""
    url = QUrl(address)
    if url.scheme() not in {"http", "https"} or not url.host():
        return
    text = f"{url.toString()}\n\nThis opens in your browser and leaves this computer."
    confirm(theme, f"Open {url.host()}?", text, "Open", parent, then=lambda: QDesktopServices.openUrl(url))
