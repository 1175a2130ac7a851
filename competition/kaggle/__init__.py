"""The one door to Kaggle: credentials, lists, downloads, submissions, notebooks."""
