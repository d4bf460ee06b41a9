"""Which model should own which rows: competition, regimes, boundary, experts, guard."""
