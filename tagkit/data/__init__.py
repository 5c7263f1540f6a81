"""From a corpus on the disk to batches: tables, sound, clip store, windows."""
