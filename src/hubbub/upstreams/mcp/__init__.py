"""The hub as a client of MCP servers."""
