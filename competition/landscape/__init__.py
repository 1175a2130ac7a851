"""A made-up Amazon landscape of any size, drawn tile by tile, with the truth as polygons."""
