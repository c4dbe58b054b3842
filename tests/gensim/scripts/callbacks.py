"""A model saved after each epoch, and its loss."""

import os

from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec


class Saver(CallbackAny2Vec):
    def __init__(self):
        self.epoch, self.losses, self.calls = 0, [], []

    def on_train_begin(self, model):
        self.calls.append("train begins")

    def on_epoch_begin(self, model):
        self.calls.append(f"epoch {self.epoch} begins")

    def on_epoch_end(self, model):
        model.save(f"epoch{self.epoch}.model")
        self.losses.append(model.get_latest_training_loss())
        self.calls.append(f"epoch {self.epoch} ends")
        self.epoch += 1

    def on_train_end(self, model):
        self.calls.append("train ends")


saver = Saver()
sentences = [line.split() for line in open("corpus.txt")]
Word2Vec(sentences, vector_size=10, min_count=1, epochs=3, compute_loss=True, callbacks=[saver])
order = saver.calls[:]
EXACT = ["order", "saved"]
losses, is_rising = saver.losses, saver.losses == sorted(saver.losses)
saved = sorted(name for name in os.listdir(".") if name.endswith(".model"))
again = Word2Vec.load("epoch2.model").wv["t0w0"]
