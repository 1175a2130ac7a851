"""Everything after scores exist: rules, blends, stacks, uploads, the ledger. Never imports `models/`."""
