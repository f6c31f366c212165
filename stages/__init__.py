"""The verbs of Unroll: one thin module per command and DVC stage."""
