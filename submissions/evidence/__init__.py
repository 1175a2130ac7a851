"""What a report is about, before it is drawn: figures of labels and members, and the chips that fail."""
