"""All kinds of job that api and worker share, and how one is found by its name."""

from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.schemas.bot_file_jobs import WriteBotFileJob
from buddy_common.schemas.bot_jobs import (
    AddBotJob,
    DeleteBotJob,
    RestoreBotJob,
    SetBotIdentityJob,
    SetBotModelJob,
    TemplateBotJob,
    UpdateBotJob,
)
from buddy_common.schemas.chat_jobs import EnableChatJob
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.healing_jobs import (
    CloseCircuitJob,
    DiscardQuarantineJob,
    ReleaseQuarantineJob,
    SendTestAlertJob,
    SetSelfHealingJob,
)
from buddy_common.schemas.job import Job
from buddy_common.schemas.model_jobs import (
    DeleteModelJob,
    DeleteProviderJob,
    SetDefaultModelJob,
    SetProviderJob,
    SetProviderModelJob,
)
from buddy_common.schemas.model_probe_jobs import ProbeModelJob
from buddy_common.schemas.plugin_jobs import (
    InstallPluginJob,
    ReloadPluginsJob,
    SetPluginJob,
    UninstallPluginJob,
    UpdatePluginsJob,
)
from buddy_common.schemas.shell_jobs import RunCommandJob
from buddy_common.schemas.skill_jobs import UninstallSkillJob
from buddy_common.schemas.wechat_jobs import InstallWechatJob, LoginWechatJob, UnbindWechatJob

ALL_JOBS: tuple[type[Job], ...] = (
    StartGatewayJob,
    StopGatewayJob,
    RestartGatewayJob,
    AddBotJob,
    TemplateBotJob,
    UpdateBotJob,
    SetBotIdentityJob,
    SetBotModelJob,
    DeleteBotJob,
    RestoreBotJob,
    SetProviderJob,
    DeleteProviderJob,
    SetProviderModelJob,
    DeleteModelJob,
    SetDefaultModelJob,
    EnableChatJob,
    InstallPluginJob,
    SetPluginJob,
    WriteBotFileJob,
    UninstallSkillJob,
    ProbeModelJob,
    MakeBackupJob,
    RestoreBackupJob,
    UninstallPluginJob,
    UpdatePluginsJob,
    ReloadPluginsJob,
    InstallWechatJob,
    LoginWechatJob,
    UnbindWechatJob,
    SetSelfHealingJob,
    CloseCircuitJob,
    SendTestAlertJob,
    ReleaseQuarantineJob,
    DiscardQuarantineJob,
    RunCommandJob,
)
_BY_TASK = {job.task: job for job in ALL_JOBS}


def job_kind(task: str) -> type[Job] | None:
    """Return the kind of that name, None when this version knows none."""
    return _BY_TASK.get(task)


def rivals(kind: type[Job]) -> frozenset[str]:
    """Return the names of all kinds that share a lock with `kind`, itself included."""
    return frozenset(job.task for job in ALL_JOBS if job.locks & kind.locks)
