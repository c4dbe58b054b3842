"""Training callbacks, under gensim's names."""

from typing import Any


class CallbackAny2Vec:
    """The base of callbacks: `Word2Vec.train(callbacks=[...])` calls these methods with the model.

    In a callback the vectors of the model are those of that moment. An exception ends the training there.
    """

    def on_train_begin(self, model: Any) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, model: Any) -> None:
        """Called before each epoch."""

    def on_epoch_end(self, model: Any) -> None:
        """Called after each epoch."""

    def on_train_end(self, model: Any) -> None:
        """Called after the last epoch."""
