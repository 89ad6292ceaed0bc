"""The algorithm and its vocabulary: pure functions and plain types, no Ray, no engine, no I/O beyond JSON lines."""
