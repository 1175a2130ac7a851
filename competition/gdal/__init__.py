"""GDAL, which reads and writes images of the ground: loaded when it is needed, and kept to the file that it is given."""
