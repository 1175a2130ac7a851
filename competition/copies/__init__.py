"""Pictures that are copies of each other: equal, or saved anew, found without comparing each with each."""
