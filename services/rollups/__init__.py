"""What is counted, and when its sums are sealed: what the seal job writes and answers read."""
