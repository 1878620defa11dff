"""What every part stands on: errors, events, ids, clock, paging and limits."""
