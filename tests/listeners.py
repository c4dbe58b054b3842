"""Callbacks for tests."""

import math

import fastw2v


class Recorder:
    """A callback that keeps all events in `events`, and ends the run at the n-th `Progress`, if n is given."""

    def __init__(self, n=math.inf):
        self.events = []
        self._n_left = n

    def __call__(self, event):
        self.events.append(event)
        self._n_left -= isinstance(event, fastw2v.Progress)
        return self._n_left <= 0

    def of(self, *kinds):
        """The events of these classes, in their order."""
        return [event for event in self.events if isinstance(event, kinds)]
