"""What people are shown of a run: lines, a bar, a log; on terminals, in notebooks and in files."""
