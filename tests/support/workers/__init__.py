"""Worker processes, the queue that they work on and the payment provider that they ask; all of it outlives a crash."""
