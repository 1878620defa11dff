"""Logging in at what the hub dials: OAuth 2.1 as MCP has it, with a person where one is needed."""
