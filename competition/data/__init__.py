"""From archives and folders to chips as arrays."""
