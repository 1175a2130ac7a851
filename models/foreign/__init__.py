"""Networks that others made: what is taken of their outputs, and those of timm, which learn as a layer of Keras."""
