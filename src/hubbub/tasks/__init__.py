"""Tasks of a project and what they wait for."""
