"""The ways in. Each is made from the operations and adds none."""
