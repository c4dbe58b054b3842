# %% [markdown]
# A graph researcher: walks as arrays and lists, nodes as labels, features for a classifier.

# %%
import networkx as nx
import numpy as np

import fastw2v

graph = nx.karate_club_graph()
rng = np.random.default_rng(0)


def walk(node: int, length: int) -> list[int]:
    path = [node]
    while len(path) < length:
        path.append(int(rng.choice(list(graph[path[-1]]))))
    return path


# %% Walks of different lengths: a list of lists.
walks = [walk(node, int(rng.integers(10, 40))) for node in graph for _ in range(20)]
options = dict(dim=16, window=5, sample=0, min_count=1, epochs=20, lr=0.05, threads=1)
vectors = fastw2v.train(walks, **options)
print(vectors.most_similar(33, topn=5))  # of node 33
assert vectors.most_similar(33, topn=5) == vectors.most_similar("33", topn=5)

# %% The same walks as an array, padded with any negative number, and as (labels, offsets).
longest = max(map(len, walks))
padded = np.full((len(walks), longest), -100)
for row, path in zip(padded, walks, strict=True):
    row[: len(path)] = path
flat = np.concatenate([np.array(path) for path in walks])
offsets = np.cumsum([0, *map(len, walks)])
for form in padded, (flat, offsets):
    again = fastw2v.train(walks=form, **options)
    assert np.array_equal(again.vectors, vectors.vectors)

# %% Features in the order of the nodes, and the two clubs told apart by their nearest leader.
features = vectors.matrix_for(graph.nodes)
assert features.shape == (34, 16)
unit = features / np.linalg.norm(features, axis=1, keepdims=True)
to_officer = unit @ unit[33] > unit @ unit[0]
is_officer = np.array([graph.nodes[node]["club"] == "Officer" for node in graph])
print(f"{(to_officer == is_officer).sum()} of 34 members are nearest to the leader of their club")
assert (to_officer == is_officer).sum() >= 28

# %%
vectors.save("nodes.txt")
assert fastw2v.Vectors.load("nodes.txt").most_similar(33, topn=1)[0][0] == vectors.most_similar(33, topn=1)[0][0]
