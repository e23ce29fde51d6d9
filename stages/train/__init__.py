"""One fold of one model: fit on the other folds' general sequences, predict this fold's general and micro ones.

Each model is one file that stands alone and offers

    TABLE    the feature table it reads
    Config   its section of params.yaml, a dataclass
    fit      (rows to train on, Config, device, progress label) -> (network, history of losses)
    predict  (network, rows) -> the probabilities of each method it knows
"""
