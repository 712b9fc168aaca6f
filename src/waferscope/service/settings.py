"""Every setting of the service, read from ``WAFERSCOPE_*`` variables or a ``.env`` file.

Three URLs decide where things live: records, blobs and cache. Without any variable the service
runs in development mode on one machine, out of one folder.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from limits import parse
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from waferscope.errors import ConfigError

DEFAULT_SECRET: Final = "development-only-secret-of-waferscope"  # noqa: S105 - refused in production


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _rate(value: str) -> str:
    parse(value)
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list, written with commas between its members."""
Rate = Annotated[str, AfterValidator(_rate)]
"""How often: ``100/minute``."""


class Settings(BaseSettings):
    """The settings; each is the variable ``WAFERSCOPE_`` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="WAFERSCOPE_", env_file=".env", frozen=True, extra="ignore"
    )

    mode: Literal["development", "production"] = Field(
        default="development", description="`production` refuses unsafe settings"
    )
    home: Path = Field(
        default=Path("waferscope-data"),
        description="folder of the records and blobs that have no URL of their own",
    )
    records_url: str = Field(
        default="", description="`sqlite:///path` or `postgresql://user:password@host/name`"
    )
    blobs_url: str = Field(
        default="", description="a folder as `file:///path`, or `s3://bucket/prefix`"
    )
    cache_url: str = Field(default="memory://", description="`memory://` or `redis://host:6379/0`")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    workers: int = Field(default=1, ge=1, description="web processes of `waferscope serve`")
    secret: SecretStr = Field(
        default=SecretStr(DEFAULT_SECRET),
        min_length=32,
        description="what tokens and webhooks are signed with; 32 characters or more",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="the address that users see; issuer of tokens"
    )
    cookie_secure: bool = Field(default=False, description="send cookies over https only")
    cors_origins: Names = Field(default=(), description="web origins that may call, with commas")
    trusted_proxies: Names = Field(
        default=(), description="addresses of proxies whose `X-Forwarded-For` is believed"
    )
    access_minutes: int = Field(default=60, ge=1, description="life of an access token")
    refresh_days: int = Field(default=7, ge=1, description="life of a login that is kept fresh")
    lockout_failures: int = Field(default=5, ge=1, description="wrong passwords before a lock-out")
    lockout_seconds: int = Field(
        default=30, ge=1, description="first lock-out; doubles with each further failure, to 1 h"
    )
    rate_login: Rate = Field(default="20/minute", description="logins per address")
    rate_address: Rate = Field(default="1200/minute", description="requests per unknown address")
    rate_identity: Rate = Field(default="6000/minute", description="requests per user or key")
    max_body_mb: float = Field(default=8, gt=0, description="largest request body")
    max_upload_mb: float = Field(default=512, gt=0, description="largest uploaded file")
    max_upload_wafers: int = Field(
        default=20_000, ge=1, description="most wafers that an uploaded file may hold"
    )
    deleted_days: int = Field(
        default=30, ge=0, description="how long a deleted wafer can be restored before it is purged"
    )
    webhook_hosts: Names = Field(
        default=(), description="hosts that webhooks may call, with commas; none by default"
    )
    oidc_issuer: str = Field(default="", description="issuer URL; empty: no single sign-on")
    oidc_client_id: str = Field(default="", description="client id at the issuer")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="client secret at the issuer"
    )
    oidc_role_claim: str = Field(
        default="waferscope_role", description="claim that carries the role of a new user"
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for `/metrics`; empty: open"
    )
    worker_metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="port at which a worker shows its figures for Prometheus; 0: none",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe line that is logged"
    )
    model: Path | None = Field(default=None, description="model file; the released one if left out")
    model_threads: int = Field(
        default=0, ge=0, description="processors that the model may use; 0: every one"
    )
    gather_ms: float = Field(
        default=2, ge=0, le=1000, description="how long a wafer waits for others to run with"
    )
    demo: bool = Field(default=True, description="load the demo lot on the first start")
    job_concurrency: int = Field(default=2, ge=1, description="jobs that one worker runs at a time")
    shutdown_seconds: int = Field(
        default=30, ge=1, description="how long running requests and steps may finish"
    )

    @cached_property
    def records(self) -> str:
        """URL of the records with the driver's name in it."""
        url = self.records_url or f"sqlite:///{self.home / 'records.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @cached_property
    def blobs(self) -> str:
        """URL of the blobs."""
        return self.blobs_url or (self.home / "blobs").absolute().as_uri()

    @property
    def is_production(self) -> bool:
        """Whether unsafe settings are refused."""
        return self.mode == "production"

    @property
    def uses_sqlite(self) -> bool:
        """Whether the records are one SQLite file."""
        return self.records.startswith("sqlite")

    @model_validator(mode="after")
    def _refuse_what_is_unsafe(self) -> Self:
        if not self.is_production:
            return self
        unsafe = {
            "SECRET: the default one is public": self.secret.get_secret_value() == DEFAULT_SECRET,
            "COOKIE_SECURE=false: cookies would go over plain http": not self.cookie_secure,
            "PUBLIC_URL: it must begin with https": not self.public_url.startswith("https://"),
            "RECORDS_URL: SQLite serves one process, not several workers": (
                self.uses_sqlite and self.workers > 1
            ),
            "CACHE_URL: memory is not shared by several workers": (
                self.cache_url.startswith("memory") and self.workers > 1
            ),
            "CORS_ORIGINS: name the origins instead of *": "*" in self.cors_origins,
        }
        found = [why for why, is_so in unsafe.items() if is_so]
        if found:
            raise ValueError("unsafe in production: " + "; ".join(found))
        return self


def load_settings() -> Settings:
    """Return the settings of this process. Raises ConfigError with every wrong one named."""
    from pydantic import ValidationError

    try:
        return Settings()
    except ValidationError as error:
        lines = [_explain(one["loc"], one["msg"]) for one in error.errors()]
        raise ConfigError(
            f"Expected settings that can be used, got {'; '.join(lines)}. "
            "Correct the variables; docs/operations.md lists them."
        ) from None


def _explain(where: tuple[int | str, ...], message: str) -> str:
    name = f"WAFERSCOPE_{str(where[0]).upper()}: " if where else ""
    return f"{name}{message.removeprefix('Value error, ')}"
