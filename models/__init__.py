"""Everything that imports Keras: backbones, training, prediction."""
