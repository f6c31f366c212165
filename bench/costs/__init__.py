"""Where the time and memory of a build go, told from outside: no line of the pipeline is changed for it."""
