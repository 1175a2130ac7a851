"""From several members' scores to one: means, votes, selection, weights, stacks."""
