"""Where chips to predict differ from labelled ones: what weights make of scores, and how far public ones are off."""
