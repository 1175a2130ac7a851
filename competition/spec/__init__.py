"""What a competition is, as its file says: labels, metric, tables, images and submissions."""
