"""What a competition is: its labels, metric, files and chips. Knows nothing of networks."""
