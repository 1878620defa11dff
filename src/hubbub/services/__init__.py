"""External services that the hub connects to, and their secrets."""
