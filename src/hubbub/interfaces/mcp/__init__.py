"""Agents over MCP: a few tools by which they find, read about and call any operation."""
