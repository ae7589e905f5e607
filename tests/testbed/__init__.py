"""A package, because test modules of other folders have the same names."""
