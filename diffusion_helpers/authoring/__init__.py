"""What authors and teachers need around the lessons: editions, notes, exported pages."""
