"""Tests of the four packages, mirroring their folders, and the helpers they share (`tests.support`)."""
