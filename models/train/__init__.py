"""One job: a model learns from all folds but one, then scores what it did not see."""
