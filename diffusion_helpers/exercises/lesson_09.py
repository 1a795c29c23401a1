"""Workshop 09: low-rank adapters, prior preservation, a word that is one vector."""

EXERCISES = ()
