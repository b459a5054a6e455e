"""The machine that a node runs on."""

from pydantic import BaseModel, ConfigDict


class Cpu(BaseModel):
    """Use in percent of all cores."""

    usage: float
    cores: int


class Memory(BaseModel):
    """Sizes in MB."""

    total: int
    used: int
    percent: float


class Disk(BaseModel):
    """The file system that holds OpenClaw's state."""

    path: str
    percent: float


class GatewayFigures(BaseModel):
    """What the gateway's own process uses."""

    pid: int
    cpuPercent: float  # noqa: N815 - the guide's style
    rssMB: float  # noqa: N815 - the guide's style


class SystemInfo(BaseModel):
    """Hardware figures of a node; memory and swap in MB."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "cpu": {"usage": 15.5, "cores": 8},
                "memory": {"total": 16384, "used": 4096, "percent": 25.0},
                "disk": {"path": "/", "percent": 60.5},
                "os": "linux",
                "arch": "amd64",
                "hostname": "vps-1",
                "load": [0.4, 0.3, 0.2],
                "swap": {"total": 2048, "used": 0, "percent": 0.0},
                "gateway": {"pid": 4711, "cpuPercent": 1.2, "rssMB": 812.5},
            }
        }
    )

    cpu: Cpu
    memory: Memory
    disk: Disk
    os: str
    arch: str
    hostname: str
    load: list[float]
    swap: Memory
    gateway: GatewayFigures | None = None
