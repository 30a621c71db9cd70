package main

import (
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
)

// announced are the addresses that a node tells as its own besides those that it listens on.
type announced struct {
	mutex     sync.Mutex
	addresses []ma.Multiaddr
}

// addTo is the host's factory of addresses.
func (a *announced) addTo(bound []ma.Multiaddr) []ma.Multiaddr {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Concat(bound, a.addresses)
}

func (a *announced) add(h host.Host, address ma.Multiaddr) error {
	a.mutex.Lock()
	a.addresses = append(a.addresses, address)
	a.mutex.Unlock()
	return lookAgain(h)
}

func (a *announced) remove(h host.Host, address ma.Multiaddr) error {
	a.mutex.Lock()
	a.addresses = slices.DeleteFunc(a.addresses, address.Equal)
	a.mutex.Unlock()
	return lookAgain(h)
}

// lookAgain makes the host ask its factory at once; by itself it does so every few seconds.
func lookAgain(h host.Host) error {
	emitter, err := h.EventBus().Emitter(new(event.EvtAutoRelayAddrsUpdated))
	if err != nil {
		return err
	}
	defer emitter.Close()
	return emitter.Emit(event.EvtAutoRelayAddrsUpdated{})
}
