"""KeyedVectors without a model."""

import numpy as np
from gensim.models import KeyedVectors

rng = np.random.default_rng(0)
kv = KeyedVectors(vector_size=6)
kv.add_vectors(["a", "b", "c"], rng.normal(size=(3, 6)).astype(np.float32))
kv["d"] = rng.normal(size=6)
kv.add_vectors(["a", "e"], rng.normal(size=(2, 6)).astype(np.float32), replace=True)
kv.set_vecattr("a", "count", 7)
kv.set_vecattr("b", "colour", "red")
words, colour, count = kv.index_to_key, kv.get_vecattr("b", "colour"), int(kv.get_vecattr("a", "count"))
some = kv.vectors_for_all(["e", "a", "z"])
chosen = some.index_to_key
kv.fill_norms(force=True)
norms = np.round(kv.norms, 4).tolist()
nearest = [word for word, _ in kv.most_similar("a")]
kv.unit_normalize_all()
lengths = np.linalg.norm(kv.vectors, axis=1)
kv.sort_by_descending_frequency()
sorted_first = kv.index_to_key[0]
EXACT = ["words", "colour", "count", "chosen", "nearest", "sorted_first"]
