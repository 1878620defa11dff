"""Finding the right operation among many."""
