"""Networks that others made: what is taken of their outputs; and those of timm, by name, which learn as a layer of Keras."""
