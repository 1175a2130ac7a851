"""Tracking where people look already: what lies in the workspace, brought into MLflow, each result once."""
