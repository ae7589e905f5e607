"""How well the model predicts: held-out loads, replications, other servers."""
