package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// A go-libp2p node as a `start` request describes it.

type settings struct {
	Identity   string   `json:"identity,omitempty"`
	Secret     hexBytes `json:"secret,omitempty"`
	Security   []string `json:"security,omitempty"`
	Transports []string `json:"transports,omitempty"`
	Muxers     []string `json:"muxers,omitempty"`
	Listen     []string `json:"listen,omitempty"`

	Gossipsub  feature[gossipSettings]  `json:"gossipsub,omitempty"`
	Kad        feature[kadSettings]     `json:"kad,omitempty"`
	Mdns       feature[mdnsSettings]    `json:"mdns,omitempty"`
	Rendezvous json.RawMessage          `json:"rendezvous,omitempty"`
	Relay      feature[relaySettings]   `json:"relay,omitempty"`
	Dcutr      feature[dcutrSettings]   `json:"dcutr,omitempty"`
	Autonat    feature[autonatSettings] `json:"autonat,omitempty"`
	External   []ma.Multiaddr           `json:"external,omitempty"`
}

func defaultSettings() settings {
	return settings{
		Identity:   "ed25519",
		Security:   []string{"tls", "noise"},
		Transports: []string{"tcp"},
		Muxers:     []string{"yamux"},
		Listen:     []string{"/ip4/127.0.0.1/tcp/0"},
	}
}

const rsaBits = 2048

// 1,024 streams of each test protocol at a time, of which each may fill a window.
const (
	maxStreams     = 8 << 10
	maxMemoryBytes = 4 << 30
)

var (
	keyTypes = map[string]int{
		"ed25519": crypto.Ed25519, "secp256k1": crypto.Secp256k1, "rsa": crypto.RSA, "ecdsa": crypto.ECDSA,
	}
	transports = map[string]libp2p.Option{
		"tcp": libp2p.Transport(tcp.NewTCPTransport), "quic": libp2p.Transport(quic.NewTransport),
	}
	securities = map[string]libp2p.Option{
		"tls": libp2p.Security(tls.ID, tls.New), "noise": libp2p.Security(noise.ID, noise.New),
	}
	muxers = map[string]libp2p.Option{"yamux": libp2p.Muxer(yamux.ID, yamux.DefaultTransport)}
)

func newHost(asked settings, more []libp2p.Option) (host.Host, error) {
	key, err := newKey(asked.Identity, asked.Secret)
	if err != nil {
		return nil, err
	}
	limits, err := raisedLimits()
	if err != nil {
		return nil, err
	}
	options := append(
		more,
		libp2p.Identity(key),
		libp2p.UserAgent(implementation+"/"+version()),
		libp2p.ListenAddrStrings(asked.Listen...),
		libp2p.ResourceManager(limits),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.DisableMetrics(),
	)
	for _, choice := range []struct {
		names []string
		table map[string]libp2p.Option
	}{{asked.Transports, transports}, {asked.Security, securities}, {asked.Muxers, muxers}} {
		for _, name := range choice.names {
			option, err := named(choice.table, name)
			if err != nil {
				return nil, err
			}
			options = append(options, option)
		}
	}
	return libp2p.New(options...)
}

func newKey(kind string, secret hexBytes) (crypto.PrivKey, error) {
	keyType, err := named(keyTypes, kind)
	if err != nil {
		return nil, err
	}
	if len(secret) == ed25519.SeedSize {
		return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(secret))
	}
	key, _, err := crypto.GenerateKeyPairWithReader(keyType, rsaBits, rand.Reader)
	return key, err
}

func raisedLimits() (network.ResourceManager, error) {
	defaults := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&defaults)
	raised := rcmgr.ResourceLimits{
		Streams: maxStreams, StreamsInbound: maxStreams, StreamsOutbound: maxStreams, Memory: maxMemoryBytes,
	}
	limits := rcmgr.PartialLimitConfig{
		System: raised, Transient: raised, PeerDefault: raised,
		ProtocolDefault: raised, ProtocolPeerDefault: raised,
		Conn: rcmgr.ResourceLimits{Memory: maxMemoryBytes},
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(defaults.AutoScale())))
}

func named[T any](table map[string]T, name string) (T, error) {
	found, known := table[name]
	if !known {
		return found, unsupported("this peer has no %s", name)
	}
	return found, nil
}

// boundAddresses are those that a host listens on, with its id.
func boundAddresses(h host.Host) []string {
	bound, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return nil
	}
	addresses := []string{}
	for _, address := range bound {
		// A host that may be reached over relays listens for circuits, which is no address yet.
		if !isCircuit(address[0]) {
			addresses = append(addresses, withID(address, h))
		}
	}
	return addresses
}

func withID(address ma.Multiaddr, h host.Host) string {
	return fmt.Sprintf("%s/p2p/%s", address, h.ID())
}
