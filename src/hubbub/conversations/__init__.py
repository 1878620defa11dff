"""What agents say: sessions, messages and their parts."""
