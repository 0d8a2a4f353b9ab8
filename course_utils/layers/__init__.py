"""Layers that several networks share, each written so that it can be read, and equal to the library's."""
