"""The pure core that decides every number: no I/O, no clock, no randomness."""
