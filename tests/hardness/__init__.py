"""What the hub is put through: killed, stormed, stalled, lied to, left half open."""
