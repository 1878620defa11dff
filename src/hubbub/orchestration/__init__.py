"""Threads of orchestrated work: the log of events and what is projected from it."""
