"""Frozen backbones behind one interface: networks of Keras, and graphs made of what others trained."""
