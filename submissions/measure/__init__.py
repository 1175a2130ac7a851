"""What scores and decisions are worth on chips that they have not seen."""
