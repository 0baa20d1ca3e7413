"""Fixtures that several files of tests share."""

import shutil

import pytest
from hypothesis import HealthCheck, settings

import gates

# A busy machine is no counterexample.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """Build the project without TensorFlow once."""
    folder = tmp_path_factory.mktemp("light") / "project"
    gates.build(folder)
    return folder


@pytest.fixture
def project(light, tmp_path):
    """Return a copy of the project, its cache warm, for a test to break."""
    folder = tmp_path / "project"
    shutil.copytree(light, folder)
    return folder
