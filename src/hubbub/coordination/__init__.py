"""Coordinators and their workers: who works on what, and what went wrong."""
