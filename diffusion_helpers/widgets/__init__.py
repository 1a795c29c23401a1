"""What a lesson shows and lets a reader move: figures, scrubbers, live controls, questions."""
