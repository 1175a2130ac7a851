"""What networks are fed: views, augmentation, batches, feature banks."""
