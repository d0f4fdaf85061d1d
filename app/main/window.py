"""The window, first or second: shown before anything slow is imported or opened."""


