package main

import (
	"context"
	"runtime/debug"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	implementation = "go-libp2p"
	relayedIsFine  = "a test asks for it"
)

// A node is what the commands are asked of.
type node struct {
	host    host.Host
	started atomic.Bool
	streams streams
	known   identified

	announced announced
	gossip    *gossip
	kad       *kad
}

func newNode() *node {
	return &node{
		streams: streams{open: map[int]*entry{}},
		known:   identified{of: map[peer.ID]fields{}},
	}
}

func (n *node) isStarted() bool {
	return n.started.Load()
}

func (n *node) stop() {
	if n.isStarted() {
		n.host.Close()
	}
}

func (n *node) start(asked settings) (any, error) {
	options, err := n.featureOptions(asked)
	if err != nil {
		return nil, err
	}
	if n.host, err = newHost(asked, options); err != nil {
		return nil, err
	}
	if err := n.tell(); err != nil {
		return nil, err
	}
	if err := n.startFeatures(asked); err != nil {
		return nil, err
	}
	for protocol, play := range served {
		n.serve(protocol, protocol == stall, play)
	}
	n.host.SetStreamHandler(perfProtocol, servePerf)
	n.started.Store(true)
	return fields{
		"peer":           n.host.ID(),
		"addresses":      boundAddresses(n.host),
		"implementation": implementation,
		"version":        version(),
	}, nil
}

// tell makes events of the host's notifications.
func (n *node) tell() error {
	n.host.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { emit("connected", fields{"peer": c.RemotePeer()}) },
		DisconnectedF: func(_ network.Network, c network.Conn) { emit("disconnected", fields{"peer": c.RemotePeer()}) },
	})
	told, err := n.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return err
	}
	go func() {
		for each := range told.Out() {
			n.known.learn(each.(event.EvtPeerIdentificationCompleted))
		}
	}()
	return nil
}

func (n *node) listenAddresses(nothing) (any, error) {
	return fields{"addresses": boundAddresses(n.host)}, nil
}

func (n *node) dial(to toAddress) (any, error) {
	there, err := peer.AddrInfoFromP2pAddr(to.Address)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	// It would dial all that it knows, and not again for seconds what it could not reach.
	n.host.Peerstore().ClearAddrs(there.ID)
	n.host.Network().(*swarm.Swarm).Backoff().Clear(there.ID)
	ctx := context.Background()
	if _, circuit := ma.SplitFunc(to.Address, isCircuit); circuit != nil {
		ctx = network.WithAllowLimitedConn(ctx, relayedIsFine)
	}
	return fields{"peer": there.ID}, n.host.Connect(ctx, *there)
}

func (n *node) disconnect(from withPeer) (any, error) {
	return nil, n.host.Network().ClosePeer(from.Peer)
}

func (n *node) connections(nothing) (any, error) {
	listed := []fields{}
	for _, connection := range n.host.Network().Conns() {
		state := connection.ConnState()
		listed = append(listed, fields{
			"peer":       connection.RemotePeer(),
			"direction":  directions[connection.Stat().Direction],
			"address":    connection.RemoteMultiaddr(),
			"encryption": orNull(string(state.Security)),
			"muxer":      orNull(string(state.StreamMultiplexer)),
		})
	}
	return fields{"connections": listed}, nil
}

var directions = map[network.Direction]string{
	network.DirInbound: "inbound", network.DirOutbound: "outbound",
}

func (n *node) identify(whom withPeer) (any, error) {
	return n.known.recall(whom.Peer)
}

func (n *node) ping(whom withPeer) (any, error) {
	ctx, cancel := context.WithCancel(withoutDialling())
	defer cancel()
	result := <-ping.Ping(ctx, n.host, whom.Peer)
	return fields{"milliseconds": float64(result.RTT.Microseconds()) / 1000}, result.Error
}

// withoutDialling is the context of what runs on the connections that there are, relayed ones too.
func withoutDialling() context.Context {
	ctx := network.WithNoDial(context.Background(), "a peer is dialled only when it is told to")
	return network.WithAllowLimitedConn(ctx, relayedIsFine)
}

// version is that of go-libp2p in go.mod.
func version() string {
	built, _ := debug.ReadBuildInfo()
	for _, module := range built.Deps {
		if module.Path == "github.com/libp2p/go-libp2p" {
			return module.Version
		}
	}
	return "unknown"
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
