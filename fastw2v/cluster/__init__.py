"""Training on a Dask cluster: replicas of the model, trained in rounds by its workers."""
