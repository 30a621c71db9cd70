package main

import (
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// A command is one request of ../../README.md, asked of a node (or of what the benchmarks ask).
type command[N any] func(n N, asked request) (any, error)

var commands = map[string]command[*node]{
	"start":            does(defaultSettings(), (*node).start),
	"listen-addresses": does(nothing{}, (*node).listenAddresses),
	"dial":             does(toAddress{}, (*node).dial),
	"disconnect":       does(withPeer{}, (*node).disconnect),
	"connections":      does(nothing{}, (*node).connections),
	"identify":         does(withPeer{}, (*node).identify),
	"handle":           does(withProtocol{}, (*node).serveLater),
	"unhandle":         does(withProtocol{}, (*node).unhandle),
	"ping":             does(withPeer{}, (*node).ping),
	"perf":             does(perfTask{}, (*node).perf),
	"echo":             does(echoTask{streamTask{Protocol: "/test/echo/1"}, 1}, (*node).echo),
	"sink":             plays("/test/sink/1", sinking),
	"source":           does(sourceTask{streamTask{Protocol: "/test/source/1"}, false}, (*node).source),
	"half-close":       plays("/test/half-close/1", halfClosing),
	"frames":           does(framesTask{Protocol: "/test/frames/1"}, (*node).frames),
	"expect-reset":     plays("/test/reset/1", expectingReset),
	"send-reset":       plays("/test/echo/1", resetting),
	"release":          does(withStream{}, (*node).release),
	"streams":          does(nothing{}, (*node).listStreams),

	"listen":        does(toAddress{}, (*node).listen),
	"subscribe":     gossiping((*gossip).subscribe),
	"unsubscribe":   gossiping((*gossip).unsubscribe),
	"publish":       gossiping((*gossip).publish),
	"mesh":          gossiping((*gossip).mesh),
	"subscribers":   gossiping((*gossip).subscribers),
	"score":         gossiping((*gossip).score),
	"kad-add":       looking((*kad).add),
	"kad-table":     looking((*kad).table),
	"kad-bootstrap": looking((*kad).bootstrap),
	"kad-closest":   looking((*kad).closest),
	"kad-find":      looking((*kad).find),
	"kad-put":       looking((*kad).put),
	"kad-get":       looking((*kad).get),
	"kad-provide":   looking((*kad).provide),
	"kad-providers": looking((*kad).providers),
}

type nothing struct{}

type withPeer struct {
	Peer peer.ID `json:"peer"`
}

type withStream struct {
	Stream int `json:"stream"`
}

type withProtocol struct {
	Protocol protocol.ID `json:"protocol"`
}

type toAddress struct {
	Address ma.Multiaddr `json:"address"`
}

type perfTask struct {
	Peer     peer.ID `json:"peer"`
	Upload   int64   `json:"upload"`
	Download int64   `json:"download"`
}

type streamTask struct {
	Peer     peer.ID     `json:"peer"`
	Bytes    int64       `json:"bytes"`
	Seed     uint64      `json:"seed"`
	Protocol protocol.ID `json:"protocol,omitempty"`
}

type echoTask struct {
	streamTask
	Streams int `json:"streams,omitempty"`
}

type sourceTask struct {
	streamTask
	Hold bool `json:"hold,omitempty"`
}

type framesTask struct {
	Peer     peer.ID     `json:"peer"`
	Sizes    []int64     `json:"sizes"`
	Seed     uint64      `json:"seed"`
	Protocol protocol.ID `json:"protocol,omitempty"`
}

// does makes a command of a method and the defaults of its fields.
func does[N, F any](defaults F, run func(N, F) (any, error)) command[N] {
	return func(n N, asked request) (any, error) {
		filled, err := fill(asked, defaults)
		if err != nil {
			return nil, err
		}
		return run(n, filled)
	}
}

// plays makes a command of a script on one stream.
func plays(under protocol.ID, play func(bytes int64, seed uint64) script) command[*node] {
	return does(streamTask{Protocol: under}, func(n *node, task streamTask) (any, error) {
		return n.play(task.Peer, task.Protocol, false, play(task.Bytes, task.Seed))
	})
}

func (n *node) handle(asked request) (any, error) {
	run, found := commands[asked.do]
	if !found {
		return nil, badRequest("no command %s", asked.do)
	}
	if (asked.do == "start") == n.isStarted() {
		return nil, badRequest("start comes first, once")
	}
	return run(n, asked)
}
