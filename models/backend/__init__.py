"""Keras' backend, the devices, and what runs a network."""
