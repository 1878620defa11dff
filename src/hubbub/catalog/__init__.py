"""Which operations are known, and who offers them right now."""
