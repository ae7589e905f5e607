"""Checks of one run: instruments that measure the same quantity, and the operational laws."""
