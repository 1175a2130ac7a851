"""Labelled chips cut from scenes: where they lie, which of them stay together in a fold, and how they are written."""
