"""Untrusted and atomic files, and text from outside."""
