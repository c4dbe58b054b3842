"""A state of a run for the tests of what is shown of it."""

from fastw2v import events

PROGRESS = events.Progress(
    epoch=2,
    epochs=5,
    n_words=30,
    n_words_total=100,
    n_predictions=9,
    loss=2.5,
    loss_error=0.1,
    learning_rate=0.02,
    seconds=3.0,
    words_per_second=5.5e6,
)
BAR = "[#######.................]  30% epoch 2/5  5.50 M words/s  loss 2.500  lr 0.02  ETA 0:00:07"
