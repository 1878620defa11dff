"""The wire: what travels between callers, hub and spokes. Pure, without I/O."""
