package main

import (
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
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
		"protocols":        list(told.Protocols),
		"addresses":        list(told.ListenAddrs),
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
