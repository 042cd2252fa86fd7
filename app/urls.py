"""Addresses of the routes, as pages hand them to the browser."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from streamlit import config


def prefix() -> str:
    """What all addresses begin with; routes of our own do not get Streamlit's base path by themselves."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/av" if base else "/av"


def video(clip_id: str) -> str:
    """The clip's video file."""
    return f"{prefix()}/video/{quote(clip_id)}"


def poster(clip_id: str, version: str = "") -> str:
    """A picture of the clip; with a version, which changes with the video, browsers keep it."""
    return f"{prefix()}/poster/{quote(clip_id)}" + (f"?v={version}" if version else "")


def frame(clip_id: str, time_s: float) -> str:
    """A small picture of one moment."""
    return f"{prefix()}/frame/{quote(clip_id)}?t={max(0.0, time_s):.2f}"


def tracks(clip_id: str, kind: str, **query: str) -> str:
    """Track data of one kind; `query` chooses run, audio condition and more."""
    text = urlencode({name: value for name, value in sorted(query.items()) if value})
    return f"{prefix()}/tracks/{quote(clip_id)}/{kind}" + (f"?{text}" if text else "")


def export(name: str, *, save: bool = False) -> str:
    """A file made for people to take away; `save` asks the browser to keep it rather than to show it."""
    return f"{prefix()}/export/{quote(name)}" + ("?save=yes" if save else "")


def upload(token: str) -> str:
    """Where a session sends its files."""
    return f"{prefix()}/upload/{quote(token)}"
