"""The gateway as one ASGI application: middlewares, routes, errors in one shape."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.backend.services import Backend
from app.gateway.access import Access, KnownSessions
from app.gateway.errors import Guard, http_error, validation_error
from app.gateway.limits import BodyLimit, Limits, RateLimit
from app.gateway.listeners import Listeners
from app.gateway.request_log import RequestLog
from app.gateway.routes import (
    ask,
    collections,
    conversations,
    documents,
    evaluate,
    events,
    export,
    health,
    listener,
    messages,
    models,
    search,
    sessions,
    v1_chat,
    v1_embeddings,
    v1_models,
    watched,
)
from app.gateway.routes.answers import Errors
from app.gateway.routes.call import Desk
from app.gateway.trace import Trace
from app.gateway.windows import Windows


def create(backend: Backend, listeners: Listeners, *, limits: Limits) -> FastAPI:
    """The application. It must be reached through a Door; `listeners` is what PUT /listener switches.

    It is described at /openapi.json. There is no page at /docs: that would load its scripts from
    the network.
    """
    sessions_known = KnownSessions(backend.accounts)
    application = FastAPI(
        title="Carrel",
        description="A private desk for your own documents.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"default": {"model": Errors, "description": "Refused; the code says why."}},
        # Outermost first. Plain ASGI all of them: they must not gather streams.
        middleware=[
            Middleware(Trace),
            Middleware(RequestLog),
            Middleware(Guard),
            Middleware(Access, sessions=sessions_known),
            Middleware(RateLimit, limits=limits),
            Middleware(BodyLimit, limits=limits),
        ],
        exception_handlers={HTTPException: http_error, RequestValidationError: validation_error},
    )
    application.state.desk = Desk(backend, listeners, sessions_known, Windows(), limits)
    for room in (
        health,
        sessions,
        documents,
        watched,
        collections,
        search,
        ask,
        conversations,
        messages,
        export,
        evaluate,
        events,
        models,
        listener,
        v1_models,
        v1_chat,
        v1_embeddings,
    ):
        application.include_router(room.router)
    _describe_sessions(application)
    return application


def _describe_sessions(application: FastAPI) -> None:
    """Say in /openapi.json that a bearer token is needed; the doors themselves are in `access`."""
    described = application.openapi

    def with_sessions() -> dict[str, Any]:
        schema = described()
        schema["components"]["securitySchemes"] = {"session": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"session": []}]
        return schema

    # FastAPI's documented way to change the description.
    application.openapi = with_sessions  # type: ignore[method-assign]
