# %% [markdown]
# A recommender engineer: baskets as they come out of a data frame, integers as items.

# %%
import numpy as np
import pandas as pd
import polars as pl

import fastw2v

rng = np.random.default_rng(1)
kinds = rng.integers(0, 5, 4000)  # of 5 kinds of shops, one a customer; each sells 20 items, from 1000 on
customers = np.repeat(np.arange(4000), 8)
items = 1000 + 20 * kinds[customers] + rng.integers(0, 20, len(customers))
sales = pd.DataFrame({"customer": customers, "item": items})

# %% A Series of lists, a groupby, a column of Polars: each is a corpus of baskets.
options = dict(dim=16, window=8, fixed_window=True, sample=0, min_count=1, epochs=10, ns_exponent=0.5, threads=1)
by_list = fastw2v.train(sales.groupby("customer")["item"].agg(list), **options)
by_group = fastw2v.train(sales.groupby("customer")["item"], **options)
frame = pl.DataFrame({"customer": customers, "item": items})
by_polars = fastw2v.train(frame.group_by("customer", maintain_order=True).agg("item")["item"], **options)
for vectors in by_group, by_polars:
    assert vectors.index_to_key == by_list.index_to_key
    assert np.array_equal(vectors.vectors, by_list.vectors)

# %% An integer is an item, not a row.
vectors = by_list
near = vectors.most_similar(1003, topn=10)
print(near)
assert all(1000 <= int(item) < 1020 for item, _ in near)
assert 1003 in vectors and 3 not in vectors
try:
    vectors.most_similar(3)
except fastw2v.UnknownWord as error:
    print(error)

# %% Features of a table of items, in its order; an item that was never sold has zeros.
catalogue = pd.DataFrame({"item": [1005, 1099, 7, 1020]})
features = vectors.matrix_for(catalogue["item"], missing=0)
assert features.shape == (4, 16)
assert np.array_equal(features[0], vectors[1005])
assert not features[2].any()

# %% What to recommend beside a whole basket.
print(vectors.most_similar([1001, 1002, 1003], topn=5))

# %% NumPy's scalars are numbers.
fastw2v.train(sales.groupby("customer")["item"], **(options | {"dim": np.int64(8), "lr": np.float32(0.05)}))
