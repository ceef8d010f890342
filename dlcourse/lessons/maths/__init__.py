"""Every formula of the slides as a function, in NumPy alone, with its derivative beside it.

The symbols are the lecture's: X, W, b, z, a, dz. Arrays are Keras' way round, examples in rows
(m, n), except where a function says that it takes the slides' X (n, m).
"""
