package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// identified keeps what each peer told of itself last.
type identified struct {
	mutex sync.Mutex
	of    map[peer.ID]fields
}

func (i *identified) learn(told event.EvtPeerIdentificationCompleted) {
	facts := fields{
		"agent":            told.AgentVersion,
		"protocol_version": told.ProtocolVersion,
		"protocols":        slices.Concat([]protocol.ID{}, told.Protocols),
		"addresses":        slices.Concat([]ma.Multiaddr{}, told.ListenAddrs),
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.of[told.Peer] = facts
	emit("identified", facts.with(fields{"peer": told.Peer}))
}

func (i *identified) recall(peer peer.ID) (fields, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	facts, found := i.of[peer]
	if !found {
		return nil, fmt.Errorf("nothing is known of %s", peer)
	}
	return facts, nil
}
