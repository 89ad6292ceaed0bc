"""Shapes of real models."""

from launch.footprint import ModelShape

SMOLLM2 = ModelShape(134_500_000, 30, 576, 1536, 9, 3, 64, 49_152, 8192)
"""The packaged one."""
