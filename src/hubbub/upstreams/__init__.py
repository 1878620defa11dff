"""Connections to MCP servers and HTTP APIs, by which their operations are offered."""
