"""Outputs: names, checks before the work, locks meanwhile, and files that are replaced as a whole."""
