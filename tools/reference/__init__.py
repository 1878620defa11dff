"""The pages of docs/reference, each made from a part of the code."""
