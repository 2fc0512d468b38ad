"""The address that a request comes from, as far as it can be believed.

API Gateway puts it into `X-Source-Ip` (`context_header_mappings`), over whatever the client sent. Off Lambda nothing
does, so there it is the connection's own address, and the header is the client's word.
"""

import ipaddress
import os

from django.http import HttpRequest

IPV6_PREFIX = 64
"""What one subscriber has at least: who may use any address in it is counted as one."""


def client_address(request: HttpRequest) -> str:
    """The IP address, in its shortest form; an IPv6 address as its network of 64 bits. Empty if there is none."""
    named = "HTTP_X_SOURCE_IP" if os.environ.get("AWS_LAMBDA_FUNCTION_NAME") else "REMOTE_ADDR"
    try:
        address = ipaddress.ip_address(request.META.get(named, ""))
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False).network_address)
