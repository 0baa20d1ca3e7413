"""Arithmetic: arrays in, numbers out."""
