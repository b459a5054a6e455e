"""TLS to the gateway on this host, for who has `gateway.tls.enabled`.

Source: OpenClaw's docs/gateway/config-gateway.md.
"""

import ssl


def loopback_tls() -> ssl.SSLContext:
    """Return what a client needs for it; whose certificate it is does not matter.

    It is most often one that the gateway has made itself. Who listens is told by its process, as without TLS:
    no name that a certificate could vouch for leads to loopback.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
