"""The sizes of the tiny models that the tests build: those of the contract, with fewer patches."""

from manu.contract import material

SIZES = material.SIZES | {"patch_size": 16}
