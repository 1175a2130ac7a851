"""Everything that imports Keras: backbones, feature banks, training, prediction, export."""
