"""How far metrics may lie apart on other processors."""
