"""Chosen sets of tools, each shown to agents at an address of its own."""
