"""How the model was made that comes with the hub: see README.md beside this."""
