"""What a time limit is spent on: what is at hand and how fast this machine is, what pays, and the plan of steps."""
