"""From ids to trained matrices."""
