"""Inference: the only room that knows torch and MONAI."""
