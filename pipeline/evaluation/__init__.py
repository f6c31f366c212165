"""Runs -> scores, curves for plots, and verdicts on published figures. No
TensorFlow.
"""
