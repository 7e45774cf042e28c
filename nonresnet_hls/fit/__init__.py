"""Which reuse factors make a design fit a board: boards, what layers cost, and the choice."""
