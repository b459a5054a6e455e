"""Log in to WeChat: OpenClaw's own command shows the code, whoever listens sees it, the gateway runs it.

The address of a code is a secret, so neither it nor what the command says goes into the task's row.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from typing import Any

import segno
import structlog

from buddy_common.adapters.child_process import Stream, Talk
from buddy_common.adapters.wechat_accounts import BoundAccount, WechatAccounts
from buddy_common.adapters.wechat_logins import WechatLogins
from buddy_common.errors import (
    BrokerUnavailableError,
    BuddyError,
    DeadlineExceededError,
    OpenClawCliError,
    WechatLoginError,
    WechatLoginTimeoutError,
    WechatNotInstalledError,
)
from buddy_common.schemas.wechat import PLUGIN, SUCCESSES, ChannelState, LoginState, LoginView
from buddy_common.schemas.wechat_jobs import LoginWechatJob
from buddy_worker.audited import Audited, Made
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.find_bound_account import find_account_bound_since, find_bound_account
from buddy_worker.usecases.list_plugins import list_plugins
from buddy_worker.usecases.wechat_channel import start_account, start_accounts
from buddy_worker.usecases.wechat_output import (
    LoginOutput,
    Said,
    asks_to_install,
    ending_of,
    is_address,
    without_addresses,
)

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
# the command needs 12 to 44 s of it on an idle machine
FIRST_CODE_SECONDS = 180.0
# a listener has said so before the job was sent; one that only begins gets as long as a page needs to load
FIRST_LISTENER_SECONDS = 15.0
CODE_SECONDS = 300.0  # the plugin takes a code for too old after this
LOGIN_SECONDS = 480.0  # and a login
# what the command still does after it: it tells the gateway
SETTLE_SECONDS = 60.0
DEADLINE_SLACK_SECONDS = 1.0  # the job's own clock began a little earlier
PNG_SCALE = 6
MAX_IGNORED = 20

_PROGRESS = {LoginState.WAITING_SCAN: 40, LoginState.SCANNED: 60, LoginState.NEED_VERIFYCODE: 50}


class WechatLoggedIn(Audited):
    """How a login ended well."""

    state: LoginState
    account: str | None  # None: it was bound before
    channel: ChannelState


async def login_wechat(job: RunningJob[AnyJob]) -> WechatLoggedIn:
    """Run one login to its end: bound, given up, or left by everybody who looked at it.

    Raises:
        WechatNotInstalledError: there is no plugin to log in with.
        WechatLoginTimeoutError: nobody scanned a code in time, or nobody looks at it any more.
        WechatLoginError: it has failed; the message says why.
        WechatChannelError: the account is bound, but the gateway does not run it.
        JobInterruptedError: an attempt whose worker died had bound no account.
        BuddyError: OpenClaw could not be run.
    """
    login = _Login(job)
    try:
        return await login.run()
    except asyncio.CancelledError:
        await login.cut_off()
        raise
    except BuddyError as exc:
        await login.end(login.ending or LoginState.ERROR, exc.message, error=exc.error)
        raise


class _Login:
    """A login: what the command says, who listens, and what both of them get to know."""

    def __init__(self, job: RunningJob[AnyJob]) -> None:
        self.ending: LoginState | None = None
        self._job = job
        self._logins = WechatLogins(job.host.redis)
        self._accounts = WechatAccounts(job.host.gateway_settings.config_dir)
        self._output = LoginOutput()
        self._view = LoginView(task_id=job.task_id)
        self._began = time.time()
        self._started = time.monotonic()
        self._ignored = 0

    async def run(self) -> WechatLoggedIn:
        """Do all of it."""
        await self._announce()
        if self._job.attempt > 1:
            return await self._go_on()
        await self._job.stage("looking at what is there", 5)
        await self._show(LoginState.STARTING)
        plugin = (await list_plugins(self._job)).get(PLUGIN)
        if plugin is None or not plugin.enabled:
            raise WechatNotInstalledError
        before = await asyncio.to_thread(self._accounts.all)
        await self._job.stage("starting the login", 15)
        await self._command()
        if self._view.state not in SUCCESSES:
            raise WechatLoginError("OpenClaw's login has ended without a word.")
        bound = None
        if self._view.state is LoginState.CONFIRMED:
            bound = find_bound_account(before, await asyncio.to_thread(self._accounts.all))
        return await self._start_channel(bound)

    async def _go_on(self) -> WechatLoggedIn:
        """End what an attempt whose worker died has begun; nobody may look any more, so no code is shown."""
        seen = await self._ask(lambda: self._logins.last(self._job.host.node))
        if seen is not None and seen.state is LoginState.ALREADY_BOUND:
            await self._show(LoginState.ALREADY_BOUND)
            return await self._start_channel(None)
        first = time.time() - self._job.seconds_since_first_start
        bound = find_account_bound_since(first, await asyncio.to_thread(self._accounts.all))
        await self._show(LoginState.CONFIRMED)
        return await self._start_channel(bound)

    async def end(self, state: LoginState, message: str, *, error: str | None = None, **more: Any) -> None:
        """Tell that it is over, and how; the code is not shown any more."""
        keep = {"task_id": self._job.task_id, "number": self._view.number}
        self._view = LoginView(
            **keep, state=state, message=message, error=error, done=True, at=time.time(), **more
        )
        await self._publish()

    async def cut_off(self) -> None:
        """Tell that somebody or the deadline has ended it; what WeChat has confirmed by then stays so."""
        late = time.monotonic() - self._started >= LoginWechatJob.deadline_seconds - DEADLINE_SLACK_SECONDS
        ended, slug = (
            (LoginState.TIMEOUT, DeadlineExceededError.error) if late else (LoginState.ERROR, "cancelled")
        )
        state = self._view.state if self._view.state in SUCCESSES else ended
        await self.end(
            state, "The login has taken too long." if late else "The login was cut off.", error=slug
        )

    async def _announce(self) -> None:
        """Let whoever asks for a code find this login: nobody has announced one that is made once more."""
        try:
            await self._logins.started(self._job.host.node, self._job.task_id)
        except BrokerUnavailableError as exc:
            log.warning("wechat_login_not_announced", reason=exc.message)

    async def _start_channel(self, bound: BoundAccount | None) -> WechatLoggedIn:
        state = self.ending = self._view.state  # whatever comes of the channel
        await self._job.stage("starting the channel", 80)
        account = None if bound is None else bound.id
        if bound is None:  # nobody says which one it was
            channel = await start_accounts(self._job, await asyncio.to_thread(self._accounts.ids))
        else:  # a gateway that came up while the code was shown has started it with the token of before
            channel = await start_account(self._job, bound.id, since=bound.bound_at or self._began)
        message = "" if channel is ChannelState.RUNNING else "The channel starts together with the gateway."
        await self.end(state, message, account=account, channel=channel)
        made = [] if account is None else [Made(f"account {account}", None, "bound")]
        return WechatLoggedIn(state=state, account=account, channel=channel, made=made)

    async def _command(self) -> None:
        """Run the command to its end, unless it is to end before."""
        await self._job.command(f"openclaw channels login --channel {PLUGIN}")
        theirs, ours = os.pipe()
        os.set_blocking(ours, False)
        writer = os.fdopen(ours, "wb", buffering=0)
        command = asyncio.create_task(self._run(theirs))
        watching = asyncio.create_task(self._watch(writer))
        try:
            done, _ = await asyncio.wait({command, watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (command, watching):
                task.cancel()
            await asyncio.gather(command, watching, return_exceptions=True)
            os.close(theirs)
            writer.close()

    async def _run(self, stdin: int) -> None:
        try:
            await self._job.host.cli.run(
                ["channels", "login"],
                options={"--channel": PLUGIN},
                lock_descriptors=self._job.lock_descriptors,
                on_started=self._job.runs,
                on_line=Talk(self._hear, self._hear_prompt, stdin),
            )
        except OpenClawCliError as exc:
            if self._view.state in SUCCESSES:  # it fails to tell the gateway, which we do, too
                await self._job.line("OpenClaw's login is done, but its command has failed")
                return
            reason = without_addresses(exc.message)
            self.ending = ending_of(reason)
            kind = WechatLoginError if self.ending is LoginState.ERROR else WechatLoginTimeoutError
            raise kind(reason) from exc

    async def _watch(self, stdin: FileIO) -> None:
        """Hand on the number that WeChat asks for, and end what nobody looks at, or what shows no code."""
        while self._view.state not in SUCCESSES:
            await self._require_listeners()
            if self._view.number == 0 and time.time() - self._began > FIRST_CODE_SECONDS:
                raise WechatLoginError(f"OpenClaw showed no code within {FIRST_CODE_SECONDS:.0f} s.")
            code = await self._take_code()
            # the command reads one after it has asked; two at once would arrive as one
            if code and self._view.state is LoginState.NEED_VERIFYCODE and not self._view.judging:
                with suppress(BrokenPipeError):
                    stdin.write(f"{code}\n".encode())
                await self._show(LoginState.NEED_VERIFYCODE, judging=True)
            await asyncio.sleep(LOOK_SECONDS)
        stdin.close()  # else the command goes on: it might still be told something
        await asyncio.sleep(SETTLE_SECONDS)
        await self._job.line("OpenClaw's login is done, but did not end: it is ended")

    async def _require_listeners(self) -> None:
        listened = await self._ask(lambda: self._logins.is_listened_to(self._job.host.node))
        if listened is False and time.time() - self._began > FIRST_LISTENER_SECONDS:
            self.ending = LoginState.TIMEOUT
            raise WechatLoginTimeoutError("Nobody looks at the code any more.")

    async def _take_code(self) -> str | None:
        code: str | None = await self._ask(
            lambda: self._logins.take_code(self._job.host.node, self._job.task_id)
        )
        return code

    async def _ask(self, ask: Callable[[], Any]) -> Any:
        """Return the broker's answer, None while it has none: the login outlives a short absence."""
        try:
            return await ask()
        except BrokerUnavailableError:
            return None

    async def _hear(self, line: str, stream: Stream) -> None:
        if asks_to_install(line):  # it would wait for an answer for ever
            raise WechatNotInstalledError
        if stream != "stdout":
            return
        said = self._output.line(line)
        if said is not None:
            await self._take(said)
        elif is_address(line) and self._ignored < MAX_IGNORED:
            self._ignored += 1
            await self._job.line("An address that is none of WeChat's was not shown")

    async def _hear_prompt(self, text: str) -> None:
        said = self._output.prompt(text)
        if said is not None:
            await self._take_code()  # one that was handed in before it was asked for is no answer
            await self._take(said)

    async def _take(self, said: Said) -> None:
        if self._view.state in SUCCESSES:  # nothing that follows can undo it
            return
        await self._show(said.state, said.message, url=said.url)
        await self._job.line(f"{said.state}{f': {said.message}' if said.message else ''}")
        if said.state in _PROGRESS:
            await self._job.stage(str(said.state), _PROGRESS[said.state])

    async def _show(
        self, state: LoginState, message: str = "", *, url: str | None = None, judging: bool = False
    ) -> None:
        now = time.time()
        update: dict[str, Any] = {"state": state, "message": message, "judging": judging, "at": now}
        if url is not None:
            png = await asyncio.to_thread(lambda: segno.make(url, error="m").png_data_uri(scale=PNG_SCALE))
            until = min(now + CODE_SECONDS, self._began + LOGIN_SECONDS)
            update |= {"qrcode_url": url, "qrcode_png": png, "expires_at": until}
            update["number"] = self._view.number + 1
        elif state not in (LoginState.WAITING_SCAN, LoginState.SCANNED, LoginState.NEED_VERIFYCODE):
            update |= {"qrcode_url": None, "qrcode_png": None, "expires_at": None}
        self._view = self._view.model_copy(update=update)
        await self._publish()

    async def _publish(self) -> None:
        try:
            await self._logins.publish(self._job.host.node, self._view)
        except BrokerUnavailableError as exc:  # the row has the outcome; only the live view lags
            log.warning("wechat_login_not_shown", reason=exc.message)
