"""Where everything is kept: one schema, two databases; reading, and writing once."""
