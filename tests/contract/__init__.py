"""What the contract says, held against live databases."""
