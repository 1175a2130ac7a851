"""From scores to decided labels: cuts, expected F-beta, calibration."""
