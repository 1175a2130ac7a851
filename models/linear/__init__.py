"""Linear heads on features made once, without epochs: least squares and logistic regressions of all folds together."""
