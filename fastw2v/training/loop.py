"""The training loop of one machine: slices of spans, each one call of the kernel."""

import time

import numpy as np
from numpy.typing import NDArray

from ..corpus.corpus import Corpus
from ..errors import InputError
from ..kernels.statistics import STATISTICS
from ..kernels.walk import Spans
from .heldout import SampleLoss
from .run import Loss, Slice, TrainingRun
from .schedule import SliceLength


class LocalLoop:
    """The `Loop` of a run whose corpus and model are in this process. Raises InputError for an impossible position."""

    def __init__(self, run: TrainingRun, corpus: Corpus) -> None:
        self._run, self._corpus = run, corpus
        self._slice_length = SliceLength(run.config, run.threads)
        self._sample_loss = SampleLoss(corpus.ids, run.span_trainer)
        self._seconds_before = run.position.seconds
        position, n_spans, epochs = run.position, run.schedule.n_spans, run.config.epochs
        if position.epoch > epochs or position.n_spans > n_spans:
            place = f"{position.n_spans:,} parts into epoch {position.epoch + 1}"
            size = f"{epochs} epochs of {n_spans:,} parts"
            advice = "start again with another --checkpoint directory"
            raise InputError(f"the checkpoint is damaged: it is {place}, but this run has {size}; {advice}")

    def train_epoch(self) -> None:
        """Train what is left of the run's epoch, and tell the progress after each slice."""
        run = self._run
        order = run.schedule.order(run.position.epoch)
        while (first := run.position.n_spans) < len(order):
            self._train_slice(order[first : first + self._slice_length.n_spans])
            run.offer_checkpoint(self)

    def _train_slice(self, numbers: NDArray[np.int64]) -> None:
        run, schedule, position = self._run, self._run.schedule, self._run.position
        start = time.perf_counter()
        n_done = position.epoch * schedule.n_spans + position.n_spans
        rates = schedule.learning_rates(n_done + np.arange(len(numbers)))
        statistics = np.zeros((len(numbers), STATISTICS))
        spans = Spans(numbers, rates, schedule.span_length)
        run.span_trainer(self._corpus.ids, spans, position.epoch, statistics)
        self._corpus.let_go()  # else the process would seem to grow to the size of the text
        total = statistics.sum(axis=0)
        run.check_finite(total)
        seconds = time.perf_counter() - start
        run.position = position.after(total, len(numbers), seconds)
        self._slice_length.adapt(len(numbers), seconds)
        if self._sample_loss.is_due(run.position.seconds - self._seconds_before):
            self._sample_loss.take()
        run.tell_progress(run.position, Slice(total, seconds, float(rates[-1]), self._sample_loss.value))

    def take_loss(self) -> Loss:
        """Take the loss of a sample of the text."""
        self._sample_loss.take()
        return self._sample_loss.value

    def fetch(self) -> None:
        """Nothing to do: the kernels train `run.matrices` themselves."""

    fetch_what_is_left = fetch
