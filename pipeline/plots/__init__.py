"""Small plots as SVG, for the page and for MLflow."""
