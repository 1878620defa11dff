"""MCP servers and their tools: those that can be had and those that run."""
