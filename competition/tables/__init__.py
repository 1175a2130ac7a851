"""Tables of labels in every form that competitions have them in, read with the line of every fault, and written."""
