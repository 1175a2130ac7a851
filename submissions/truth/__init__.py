"""Decided maps held against what is truly there: cells and regions by label, with intervals over blocks of ground."""
