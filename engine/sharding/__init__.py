"""Where rows go: one file a strategy, all behind `Strategy`."""

from .strategy import Interval, KeyColumn, OneOf, Predicate, Predicates, Strategy, Value

__all__ = ["Interval", "KeyColumn", "OneOf", "Predicate", "Predicates", "Strategy", "Value"]
