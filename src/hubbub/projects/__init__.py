"""What is worked on, and where: projects and workspaces."""
