"""Who acts: accounts, organizations and their members, keys, and the trail of what was done."""
