"""Hadamard matrices: two-level designs in which all factors are balanced against each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.int8]

ORDERS = tuple(range(4, 49, 4))  # the designs that are offered


def hadamard(order: int) -> Signs:
    """A matrix of +1 and -1 whose columns are orthogonal; first row and column are all +1.

    Powers of two are Sylvester's (1867): column c of row r is the parity of the bits that r and c
    share. Others are Paley's (1933, J. Math. Phys. 12), from the squares modulo a prime, as
    Plackett and Burman (1946, Biometrika 33) took them, or twice a smaller one.

    Args:
        order: 1, 2 or a multiple of 4, up to 48.

    Returns:
        (order, order).

    Raises:
        ValueError: None of these constructions gives that order.
    """
    if order & (order - 1) == 0 and order > 0:
        numbers = np.arange(order)
        shared = numbers[:, None] & numbers[None, :]
        return _normal(np.array([[(-1) ** int(x).bit_count() for x in row] for row in shared]))
    if order % 4 == 0 and order in ORDERS:
        if _prime(order - 1):  # then it is 3 modulo 4
            return _normal(_paley_one(order - 1))
        if _prime(order // 2 - 1) and (order // 2 - 1) % 4 == 1:
            return _normal(_paley_two(order // 2 - 1))
        return _normal(np.kron(hadamard(2), hadamard(order // 2)))
    raise ValueError(f"no Hadamard matrix of order {order} is known here; got {order}")


def _prime(number: int) -> bool:
    return number > 1 and all(number % part for part in range(2, math.isqrt(number) + 1))


def _jacobsthal(prime: int) -> NDArray[np.int64]:
    """Entry (i, j) is +1 where j - i is a square modulo the prime, -1 where not, 0 for i = j."""
    character = np.full(prime, -1)
    character[[x * x % prime for x in range(prime)]] = 1
    character[0] = 0
    numbers = np.arange(prime)
    found: NDArray[np.int64] = character[(numbers[None, :] - numbers[:, None]) % prime]
    return found


def _bordered(prime: int, below: int) -> NDArray[np.int64]:
    """The Jacobsthal matrix with a first row of +1 and a first column of `below`."""
    matrix = np.zeros((prime + 1, prime + 1), dtype=np.int64)
    matrix[0, 1:], matrix[1:, 0] = 1, below
    matrix[1:, 1:] = _jacobsthal(prime)
    return matrix


def _paley_one(prime: int) -> NDArray[np.int64]:
    return np.eye(prime + 1, dtype=np.int64) + _bordered(prime, -1)


def _paley_two(prime: int) -> NDArray[np.int64]:
    on, off = np.array([[1, -1], [-1, -1]]), np.array([[1, 1], [1, -1]])
    found: NDArray[np.int64] = np.kron(np.eye(prime + 1, dtype=np.int64), on)
    return found + np.kron(_bordered(prime, 1), off)


def _normal(matrix: NDArray[np.int64]) -> Signs:
    """Rows and columns negated so that the first of each is all +1."""
    matrix = matrix * matrix[:, :1]
    return (matrix * matrix[:1, :]).astype(np.int8)
