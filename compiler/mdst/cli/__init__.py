"""The commands: each parses its arguments, calls one function of the package and prints.

Arguments in, exit code and text out. Nothing is decided here that another caller could need.
Failures of every command take one form (see `errors`).
"""
