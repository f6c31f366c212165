"""The building blocks of Unroll. Importing one does no work."""
