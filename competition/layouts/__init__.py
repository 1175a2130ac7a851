"""Made-up data in the layout of each competition that ships, and of any other's file."""
