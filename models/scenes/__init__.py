"""Scenes of any size scored by windows: `scene predict`, here or on a Ray cluster."""
