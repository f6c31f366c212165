"""The models that `unroll.answer` tries besides those of `pipeline.models`, and how
networks among them are trained.
"""
