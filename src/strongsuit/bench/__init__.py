"""Benchmarks: tasks, methods, a grid that survives interruption, records, report."""
