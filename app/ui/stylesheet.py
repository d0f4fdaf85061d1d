"""What Qt draws by itself (menus, scroll bars, fields, its file dialog), restyled from the tokens.

Widgets of ours paint themselves; this is for the rest, so that nothing of the toolkit's own look
is left. Fonts are not set here: they come from the application's font.
"""

from string import Template

_SHEET = Template(
    """
* { outline: 0; }
QToolTip { background: $ink; color: $paper; border: 0; padding: 5px 8px; }
QMenu { background: $sheet; color: $ink; border: 1px solid $line; padding: 4px; }
Menu { border-radius: ${radius_card}px; }
QMenu::item { padding: 6px 28px 6px 12px; border-radius: ${radius_row}px; background: transparent; }
QMenu::item:selected { background: $soft; color: $ink; }
QMenu::item:disabled { color: $ink3; background: transparent; }
QMenu::icon { padding-left: 10px; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::indicator { width: 14px; height: 14px; margin-left: 8px; }

QScrollBar:vertical { background: transparent; width: 12px; margin: 0; border: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; border: 0; }
QScrollBar::handle { background: $handle; border-radius: 3px; }
QScrollBar::handle:vertical { min-height: 32px; margin: 2px 3px 2px 3px; }
QScrollBar::handle:horizontal { min-width: 32px; margin: 3px 2px 3px 2px; }
QScrollBar::handle:hover, QScrollBar::handle:pressed { background: $ink3; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: 0; background: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: none; }
QAbstractScrollArea { border: 0; }
QAbstractScrollArea::corner { background: transparent; }

QSplitter::handle { background: $line; }
QSplitter#quiet::handle { background: transparent; }
QSplitter::handle:hover, QSplitter::handle:pressed { background: $accent; }

QLineEdit, QSpinBox { background: $paper; color: $ink; border: 1px solid $line; padding: 5px 9px;
    border-radius: ${radius_card}px; selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QSpinBox:focus { border: 1px solid $accent; }
QLineEdit:disabled { color: $ink3; }
QSpinBox::up-button, QSpinBox::down-button { width: 0; border: 0; }

QDialog, QMessageBox, QFileDialog { background: $paper; }
QLabel { background: transparent; }
QDialog QPushButton { background: $sheet; color: $ink; border: 1px solid $line;
    border-radius: ${radius_card}px; padding: 6px 14px; min-width: 56px; }
QDialog QPushButton:hover { background: $hover; }
QDialog QPushButton:focus { border: 1px solid $accent; }
QDialog QPushButton:default { background: $accent; color: $on_accent; border: 1px solid $accent; }
QDialog QPushButton:disabled { color: $ink3; background: $desk; border: 1px solid $line; }
QDialog QToolButton { background: transparent; border: 0; border-radius: ${radius_row}px; padding: 4px; }
QDialog QToolButton:hover { background: $hover; }
QComboBox { background: $sheet; color: $ink; border: 1px solid $line;
    border-radius: ${radius_card}px; padding: 5px 10px; }
QComboBox:focus { border: 1px solid $accent; }
QComboBox::drop-down { border: 0; width: 24px; }
QComboBox::down-arrow { image: url("$combo"); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: $sheet; border: 1px solid $line; selection-background-color: $soft;
    selection-color: $ink; }
QFileDialog QAbstractItemView { background: $sheet; color: $ink; border: 1px solid $line;
    border-radius: ${radius_card}px; selection-background-color: $soft; selection-color: $ink; }
QFileDialog QSplitter::handle { background: transparent; }
QFileDialog QAbstractItemView::item:hover { background: $hover; }
QHeaderView { background: $desk; border: 0; }
QHeaderView::section { background: $desk; color: $ink3; border: 0; border-bottom: 1px solid $line;
    padding: 5px 8px; }
"""
)


def stylesheet(colours: dict[str, str], radii: dict[str, int], combo: str) -> str:
    """The application's style sheet with every token filled in.

    Args:
        combo: path of the picture on a combo box, with forward slashes.
    """
    return _SHEET.substitute({**colours, **radii, "combo": combo})
