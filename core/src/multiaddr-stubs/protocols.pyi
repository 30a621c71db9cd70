__all__ = ("PROTOCOLS", "REGISTRY", "Protocol")

P_IP4: int
P_IP6: int
P_IP6ZONE: int
P_IPCIDR: int
P_TCP: int
P_UDP: int
P_DCCP: int
P_SCTP: int
P_UDT: int
P_UTP: int
P_P2P: int
P_HTTP: int
P_HTTPS: int
P_TLS: int
P_QUIC: int
P_QUIC1: int
P_WS: int
P_WSS: int
P_ONION: int
P_ONION3: int
P_GARLIC64: int
P_GARLIC32: int
P_P2P_CIRCUIT: int
P_DNS: int
P_DNS4: int
P_DNS6: int
P_DNSADDR: int
P_P2P_WEBSOCKET_STAR: int
P_P2P_WEBRTC_STAR: int
P_P2P_WEBRTC_DIRECT: int
P_UNIX: int
P_HTTP_PATH: int
P_SNI: int
P_NOISE: int
P_WEBTRANSPORT: int
P_WEBRTC_DIRECT: int
P_WEBRTC: int
P_MEMORY: int
P_CERTHASH: int

class Protocol:
    code: int
    codec: str | None
    name: str
    def __init__(self, code: int, name: str, codec: str | None) -> None: ...
    @property
    def size(self) -> int: ...
    @property
    def path(self) -> bool: ...
    @property
    def vcode(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

PROTOCOLS: list[Protocol]
REGISTRY: ProtocolRegistry

class ProtocolRegistry:
    def __init__(self, protocols: list[Protocol] | tuple[Protocol, ...] = ()) -> None: ...
    def add(self, proto: Protocol) -> Protocol: ...
    def add_alias_name(self, proto: Protocol | str, alias_name: str) -> None: ...
    def add_alias_code(self, proto: Protocol | int, alias_code: int) -> None: ...
    def lock(self) -> None: ...
    @property
    def locked(self) -> bool: ...
    def copy(self, *, unlock: bool = False) -> ProtocolRegistry: ...
    def __copy__(self, *, unlock: bool = False) -> ProtocolRegistry: ...
    def find_by_name(self, name: str) -> Protocol: ...
    def find_by_code(self, code: int) -> Protocol: ...
    def find(self, proto: Protocol | str | int) -> Protocol: ...

def protocol_with_name(name: str) -> Protocol: ...
def protocol_with_code(code: int) -> Protocol: ...
def protocol_with_any(proto: Protocol | str | int) -> Protocol: ...
def protocols_with_string(string: str) -> list[Protocol]: ...
