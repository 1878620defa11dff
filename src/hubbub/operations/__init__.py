"""What an operation is, and how one is carried out."""
