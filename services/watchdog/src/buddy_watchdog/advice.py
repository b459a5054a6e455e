"""What to do next, verdict by verdict, in Chinese and in English."""

from typing import NamedTuple, Self

from buddy_common.schemas.verdicts import Verdict

_BACKUP = "{name}"


class Advice(NamedTuple):
    """The verdict in a few words, and what a person can do, in both languages."""

    name_zh: str
    next_zh: str
    next_en: str

    def naming(self, backup: str | None) -> Self:
        """Return the same with the backup in its call, which can then be copied; None: there is none."""
        if backup is None:
            return self
        next_zh, next_en = (text.replace(_BACKUP, backup) for text in (self.next_zh, self.next_en))
        return self._replace(next_zh=next_zh, next_en=next_en)


ADVICE: dict[Verdict, Advice] = {
    Verdict.READY: Advice("正常", "无需操作。", "Nothing to do."),
    Verdict.SAFE_MODE: Advice(
        "安全模式",
        "网关在隔离了部分配置项后运行。修复该插件或渠道，再用 POST /v1/heal/quarantine/{id}/release 放回。",
        "It runs without some entries of its config. Mend the plugin or channel, then put it back:"
        " POST /v1/heal/quarantine/{id}/release.",
    ),
    Verdict.STARTING: Advice("启动中", "等待启动完成。", "Wait until it is up."),
    Verdict.DRAINING: Advice("正在收尾", "等待进行中的对话结束。", "Wait until its chats have ended."),
    Verdict.DEGRADED: Advice(
        "降级",
        "网关可用，但有渠道掉线或事件循环缓慢。查看 GET /v1/openclaw/status 的 failing，"
        "检查渠道账号与机器负载。",
        "It answers, but a channel is down or its event loop is slow. See `failing` of"
        " GET /v1/openclaw/status; look at the channel's account and at the load of the machine.",
    ),
    Verdict.HUNG: Advice(
        "无响应",
        "若反复出现，查看日志末尾与最近安装的插件，并检查 CPU 与磁盘。",
        "If it comes again, look at the end of the log and at plugins that are new, at CPU and disk.",
    ),
    Verdict.CRASHED: Advice(
        "进程已退出",
        "若反复出现，查看日志末尾的报错，并确认没有别的程序在结束它。",
        "If it comes again, look at the last error of the log, and for whoever ends the process.",
    ),
    Verdict.CRASH_LOOP: Advice(
        "反复崩溃",
        "查看日志末尾的报错，停用它提到的插件；处理后用 POST /v1/heal/circuit/close 恢复自动修复。",
        "Look at the last error of the log and disable the plugin that it names; then let it be healed again:"
        " POST /v1/heal/circuit/close.",
    ),
    Verdict.CONFIG_ERROR: Advice(
        "配置错误",
        "按下面的原因修正 openclaw.json，或用 POST /v1/heal/backups/{name}/restore 恢复备份。",
        "Correct openclaw.json as the reason says, or restore a backup:"
        " POST /v1/heal/backups/{name}/restore.",
    ),
    Verdict.CONFIG_BROKEN: Advice(
        "磁盘上的配置已损坏",
        "网关仍以旧配置运行，请勿重启。修正 openclaw.json，"
        "或用 POST /v1/heal/backups/{name}/restore 恢复备份。",
        "It still runs on the config of before: do not restart it. Correct openclaw.json, or restore a"
        " backup: POST /v1/heal/backups/{name}/restore.",
    ),
    Verdict.PORT_TAKEN: Advice(
        "端口被占用",
        "结束占用端口的程序，或修改 gateway.port。",
        "End the program that holds the port, or change gateway.port.",
    ),
    Verdict.OUT_OF_MEMORY: Advice(
        "内存不足",
        "增加内存，或减少插件与并发会话；必要时调高 NODE_OPTIONS=--max-old-space-size。",
        "Add memory, or run fewer plugins and chats at once; raise NODE_OPTIONS=--max-old-space-size where"
        " there is room.",
    ),
    Verdict.DISK_FULL: Advice(
        "磁盘已满或不可写",
        "清理磁盘空间，确认 OpenClaw 的目录可写。",
        "Free space, and see that OpenClaw's folder can be written.",
    ),
    Verdict.STOPPED: Advice(
        "已主动停止", "需要时用 POST /v1/gateway/start 启动。", "POST /v1/gateway/start starts it."
    ),
    Verdict.NOT_INSTALLED: Advice(
        "未安装 OpenClaw",
        "运行 buddy openclaw install，或检查 BUDDY_OPENCLAW。",
        "Run `buddy openclaw install`, or look at BUDDY_OPENCLAW.",
    ),
}
