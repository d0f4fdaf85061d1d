"""The few settings that the window offers."""
