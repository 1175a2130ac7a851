"""GDAL, which reads and writes images of the ground: loaded when needed, and kept to the file that it is given."""
