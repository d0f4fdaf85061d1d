"""How menus come up: rounded, and gone with their choice."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu


def popup(menu: QMenu, at: QPoint) -> None:
    """Show a menu at a global point."""
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    # Rounded corners need a see-through window around them.
    menu.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
    menu.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    menu.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)
    menu.popup(at)
