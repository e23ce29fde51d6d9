"""Damaged input of every kind: what is damaged, what may come of it, and what came of it.

A case is right when the program either goes on with exactly what undamaged input gives, or sets the damaged sequence
aside and goes on with the others, or ends with one sentence: whichever of these its kind allows. It is wrong when there
is a traceback, when it takes more than ten seconds, when a row differs that should not, or when a file of the input or
of an earlier run is changed, or one is left half-written. Every case is made from a seed of its own.
"""
