"""Made-up Amazon chips, for trials and tests."""
