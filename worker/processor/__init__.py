"""The queue edge: takes parcels, parses them, hands batches to contacts, acknowledges; tells of what changed."""
