"""Words and their vectors: files, queries, evaluation, pictures."""
