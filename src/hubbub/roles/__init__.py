"""How agents behave: rules, tools and model settings."""
