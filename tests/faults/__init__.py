"""What happens to a workspace when processes are killed, disks fill, and file systems refuse what others grant."""
