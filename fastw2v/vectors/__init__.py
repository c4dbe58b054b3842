"""Words and their vectors: files, answers, scores."""
