"""Processes that dial the hub and offer operations."""
