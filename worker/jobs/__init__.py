"""Long work in the background: planned, divided into parts, worked off step by step by every processor, resumable."""
