"""The part `peers`: how fast Unroll and other frameworks train and evaluate."""
