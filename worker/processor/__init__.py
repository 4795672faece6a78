"""The queue edge: takes parcels, parses them, has contacts apply them, acknowledges them, and announces changes."""
