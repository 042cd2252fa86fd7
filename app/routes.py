"""HTTP routes under /av: videos, track data, the player's modules and uploads; 404 for the rest."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app import player, uploader, urls
from app.context import AppContext, context
from app.explaining import begin, job_name, known, question_of
from app.exports import export_path
from app.jobs import Job
from app.tracks.container import MEDIA_TYPE
from app.tracks.gates import gates
from app.tracks.segments import segments
from app.uploads import UploadError
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, MravffError
from mravff_core.files import written_aside

Handler = Callable[[AppContext, Request], Response]
# Asked again every time, and answered with 304 where nothing has changed.
_REVALIDATE = {"Cache-Control": "no-cache"}
# Addresses with a version never answer otherwise: a day without asking again.
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}
# How long a question after running work waits for its end.
_PATIENCE_S = 0.3
_POSTER_HEIGHT, _FRAME_HEIGHT = 480, 90


def routes() -> list[BaseRoute]:
    """All routes, the catch-all last."""
    base = urls.prefix()
    return [
        Route(f"{base}/video/{{clip_id}}", _answer(_video), methods=["GET"]),
        Route(f"{base}/poster/{{clip_id}}", _answer(_poster), methods=["GET"]),
        Route(f"{base}/frame/{{clip_id}}", _answer(_frame), methods=["GET"]),
        Route(f"{base}/tracks/{{clip_id}}/{{kind}}", _answer(_tracks), methods=["GET"]),
        Route(f"{base}/tracks/{{clip_id}}/attribution", _answer(_explain), methods=["PUT", "DELETE"]),
        Route(f"{base}/export/{{name}}", _answer(_export), methods=["GET"]),
        Route(f"{base}/player/{{version}}/{{name}}", _answer(_module(player.asset)), methods=["GET"]),
        Route(f"{base}/uploader/{{version}}/{{name}}", _answer(_module(uploader.asset)), methods=["GET"]),
        Route(f"{base}/upload/{{token}}", _upload, methods=["PUT"]),
        Route(f"{base}/{{rest:path}}", _nothing, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    ]


def _answer(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Run a handler off the event loop; what it raises becomes one sentence."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(handler, context(), request)
        except ConfigError as error:
            return _refusal(str(error), 400)
        except MravffError as error:
            return _refusal(str(error), 404)

    return endpoint


def _refusal(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers={"Cache-Control": "no-store"})


class _VideoResponse(FileResponse):
    """A file in larger pieces than usual: a browser that seeks wants the next megabyte at once."""

    chunk_size = 1 << 19


def _video(app: AppContext, request: Request) -> Response:
    path = app.workspace.video_path(request.path_params["clip_id"])
    media_type = mimetypes.guess_type(path.name)[0] or "video/mp4"
    return _VideoResponse(path, media_type=media_type, headers=_REVALIDATE)


def _poster(app: AppContext, request: Request) -> Response:
    clip = app.workspace.clip(request.path_params["clip_id"])
    return _picture(app, request, min(1.0, clip.duration_s / 2), "posters", _POSTER_HEIGHT)


def _frame(app: AppContext, request: Request) -> Response:
    clip = app.workspace.clip(request.path_params["clip_id"])
    text = request.query_params.get("t", "0")
    try:
        time_s = float(text)
    except ValueError:
        raise ConfigError(f"time {text!r} is no number; expected seconds") from None
    if not 0 <= time_s <= clip.duration_s:
        raise ConfigError(f"time {text!r} lies outside the clip of {clip.duration_s:g} s")
    return _picture(app, request, round(time_s, 2), "frames", _FRAME_HEIGHT)


def _picture(app: AppContext, request: Request, time_s: float, folder: str, height: int) -> Response:
    """One moment of a clip as JPEG, made once."""
    clip_id = request.path_params["clip_id"]
    video = app.workspace.video_path(clip_id)
    path = app.workspace.cache_folder / folder / f"{clip_id}.{video.stat().st_mtime_ns}.{time_s:.2f}.jpg"
    if not path.is_file():
        from mravff_core.media.thumbnails import thumbnail

        picture = thumbnail(video, time_s, height=height)
        with written_aside(path) as aside:
            aside.write_bytes(picture)
    return FileResponse(path, media_type="image/jpeg", headers=_keeping(request))


def _tracks(app: AppContext, request: Request) -> Response:
    clip_id, kind = request.path_params["clip_id"], request.path_params["kind"]
    query = request.query_params
    condition = AudioCondition.parse(query.get("audio", "on"))
    run = query.get("run", "")
    if kind == "segments":
        label_set = query.get("labels") or next(iter(app.workspace.label_sets), "")
        data = segments(app.workspace, clip_id, label_set=label_set, run=run or None, condition=condition)
        return _tagged(request, json.dumps(data, allow_nan=False).encode(), "application/json")
    if kind == "signal":
        # Needs libraries of sound, which the server's start does not wait for; the same below.
        from app.tracks.signal import signal

        return _tagged(request, signal(app.workspace, clip_id), MEDIA_TYPE)
    if kind == "gates":
        return _tagged(request, gates(app.workspace, clip_id, run=run, condition=condition), MEDIA_TYPE)
    if kind == "attention":
        from app.tracks.attention import attention

        level, head = _level(query.get("level", "0")), query.get("head", "")
        detector = app.detectors.get(run)
        data_ = attention(
            app.workspace,
            clip_id,
            detector=detector,
            condition=condition,
            level=level,
            head=_level(head, "head") if head else None,
        )
        return _tagged(request, data_, MEDIA_TYPE)
    if kind == "attribution":
        return _attribution(app, request)
    return _refusal(f"there is no track data of kind {kind!r}", 404)


def _attribution(app: AppContext, request: Request) -> Response:
    """Of a detection that has been explained; how far that is while it is being explained.

    204 where nobody asked: that is no error, and browsers would note one as such.
    """
    question = question_of(request.path_params["clip_id"], request.query_params)
    job = app.jobs.find(job_name(app, question))
    # Answered when there is news, so that what is done is seen at once.
    if job is not None and not job.wait(_PATIENCE_S):
        return _told(job)
    found = known(app, question) if job is None or job.state != "done" else job.result
    if found is None:
        if job is not None and job.error:
            return _refusal(job.error, 404)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    from app.doubts import doubts
    from app.tracks.attribution import attribution

    return _tagged(request, attribution(found, doubts(app, found)), MEDIA_TYPE)


def _explain(app: AppContext, request: Request) -> Response:
    """Have a detection explained, or no longer."""
    if not _same_origin(request):
        return _refusal("explanations are begun and stopped by pages of this server only", 403)
    question = question_of(request.path_params["clip_id"], request.query_params)
    if request.method == "PUT":
        return _told(begin(app, question))
    job = app.jobs.find(job_name(app, question))
    if job is None:
        return _refusal("this detection is not being explained", 404)
    job.cancel()
    return _told(job)


def _told(job: Job) -> Response:
    told = {"state": job.state, "share": job.share, "stage": job.stage}
    return JSONResponse(told, status_code=202, headers={"Cache-Control": "no-store"})


def _export(app: AppContext, request: Request) -> Response:
    name = request.path_params["name"]
    path = export_path(app, name)
    if not path.is_file():
        return _refusal(f"the file {name} is gone; make it again", 404)
    shown = None if request.query_params.get("save") else "inline"
    return FileResponse(path, filename=name, content_disposition_type=shown or "attachment", headers=_REVALIDATE)


def _level(text: str, what: str = "level") -> int:
    if not text.isdecimal() or len(text) > 3:
        usual = "0 for the finest, 1, …" if what == "level" else "0, 1, …"
        raise ConfigError(f"{what} {text!r} is no number of a {what}; expected {usual}")
    return int(text)


def _keeping(request: Request) -> dict[str, str]:
    return _KEPT if request.query_params.get("v") else _REVALIDATE


def _tagged(request: Request, data: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {**_keeping(request), "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _module(asset: Callable[[str], tuple[bytes, str] | None]) -> Handler:
    def handler(_app: AppContext, request: Request) -> Response:
        found = asset(request.path_params["name"])
        if found is None:
            return _refusal("there is no such module", 404)
        return _tagged(request, *found)

    return handler


async def _upload(request: Request) -> Response:
    if not _same_origin(request):
        return _refusal("files are taken from pages of this server only", 403)
    name = Path(unquote(request.headers.get("x-file-name", "video"))).name or "video"
    length = request.headers.get("content-length", "")
    try:
        announced = int(length) if length.isdecimal() else None
        await context().uploads.receive(request.path_params["token"], name, request.stream(), announced)
    except UploadError as error:
        return _refusal(str(error), error.status)
    except ClientDisconnect:
        return _refusal("the browser stopped sending", 400)
    return JSONResponse({"name": name}, status_code=201)


def _same_origin(request: Request) -> bool:
    """Whether the browser says that the request comes from a page of this very server."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def _nothing(request: Request) -> Response:
    return _refusal(f"there is nothing at {request.url.path}", 404)
