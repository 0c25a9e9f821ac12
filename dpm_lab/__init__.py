"""The mainframe on a desk: what IBM Z hardware does, for tests and for trying things out."""
