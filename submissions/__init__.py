"""Everything after scores exist: cuts, blends, evaluation, submission files. Never imports models."""
