"""Millions of chips: Ray Data deals them in parts to many processes, from and to any place."""
