"""How far results may be trusted to come again: bytes and metrics as on other processors, errors on other test sets."""
