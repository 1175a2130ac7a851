"""What would spoil training or a submission, found before it does."""
