"""Workshop 10: straight roads, guidance in one call, a student that takes larger steps."""

EXERCISES = ()
