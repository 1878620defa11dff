"""How the hub is let in by servers that ask for OAuth."""
