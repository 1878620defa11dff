"""Connections to MCP servers and HTTP APIs, which the hub dials."""
