"""Labels that look wrong: which, how likely each is to be, and how many of them are false alarms."""
