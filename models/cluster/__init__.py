"""Training by many processes: its steps as Ray tasks, as Slurm's jobs, or as commands for any scheduler."""
