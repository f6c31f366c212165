"""How a source becomes a supervised problem. One module per preparation; each has `prepare(name, raw, **options)`."""
