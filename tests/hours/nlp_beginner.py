# %% [markdown]
# A beginner in a notebook: text as it comes, with capitals and punctuation.

# %%
import pydoc_data.topics

import fastw2v

with open("manual.txt", "w") as file:
    file.writelines(f"{text}\n" for text in pydoc_data.topics.topics.values())

# %%
vectors = fastw2v.train("manual.txt", epochs=20, progress=True)  # the hints tell of punctuation and capitals
vectors

# %%
vectors = fastw2v.train("manual.txt", epochs=20, lower=True, strip_punctuation=True, progress=True)
assert "exception" in vectors and "exception," not in vectors

# %%
vectors.most_similar("exception", topn=5)

# %%
try:
    vectors.most_similar("Exception")
except fastw2v.UnknownWord as error:
    print(error)
    assert "similarly spelled words are exception" in str(error)

# %%
vectors.most_similar(["tuple", "lists"], ["list"], topn=3)
print(vectors.doesnt_match(["list", "tuple", "dict", "semicolon"]))

# %%
help(fastw2v.train)

# %% How long to train: stop when the loss of sentences that are kept out no longer falls.
losses = []


def keep(event: fastw2v.EpochEnded) -> None:
    losses.append(event.held_out_loss)


vectors = fastw2v.train(
    "manual.txt",
    epochs=60,
    lower=True,
    strip_punctuation=True,
    digits="drop",
    held_out_share=0.05,
    patience=3,
    callback=keep,
    loss_plot="loss.png",
    progress=True,
)
assert losses[0] > min(losses)

# %%
vectors.save("manual.fw2v")
again = fastw2v.Vectors.load("manual.fw2v")
assert again.most_similar("exception", topn=3) == vectors.most_similar("exception", topn=3)
