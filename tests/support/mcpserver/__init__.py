"""An MCP server to hold the hub against: everything that MCP has, in both of its eras.

It stands on the official SDK, so nothing in it is of our own making but what it offers. The
names are those that the conformance suite asks for, and by itself it passes all of that suite.

    python -m tests.support.mcpserver [--stdio] [--era legacy|modern|both] [--port N]
"""
