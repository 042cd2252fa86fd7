"""Errors a user can cause and mend.

Each message is one sentence that names the file, what was found, what was
expected and the likely cause. Pages and the command line show these and live
on; every other exception is our own fault and surfaces with its traceback.
"""

from __future__ import annotations


class MravffError(Exception):
    """Base of every error that bad input can cause."""


class ConfigError(MravffError):
    """A configuration has an unknown field, a wrong type or an impossible value."""


class AnnotationError(MravffError):
    """An annotation or result file cannot be read as what it claims to be."""


class FeatureError(MravffError):
    """A feature file is missing, unreadable or of the wrong shape."""


class MediaError(MravffError):
    """A video or audio file is missing, unreadable or not what was asked for."""


class CheckpointError(MravffError):
    """A checkpoint is unreadable, unsafe or does not fit its configuration."""


class WorkspaceError(MravffError):
    """A workspace folder, clip or run is missing, damaged or in use."""


class CancelledError(MravffError):
    """The user stopped a long task; nothing half-written was left behind."""


def first_line(error: BaseException, most: int = 160) -> str:
    """What a library's error says, in one line of so many characters; what it is where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]
