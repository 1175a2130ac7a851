"""Submission files: written, checked, uploaded once, kept in the ledger."""
