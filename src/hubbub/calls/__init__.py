"""Calls on their way, and the graph of those that were made."""
