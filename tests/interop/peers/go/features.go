package main

import (
	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"
)

// Features to be switched on: what `start` makes of their fields.

// featureOptions are those that a host must be built with.
func (n *node) featureOptions(asked settings) ([]libp2p.Option, error) {
	if isGiven(asked.Rendezvous) {
		return nil, unsupported("go-libp2p has no rendezvous")
	}
	options, err := natOptions(asked)
	if err != nil {
		return nil, err
	}
	n.announced.addresses = asked.External
	options = append(options, libp2p.AddrsFactory(n.announced.addTo))
	if asked.Relay.on || asked.Dcutr.on {
		return append(options, libp2p.EnableRelay()), nil
	}
	return append(options, libp2p.DisableRelay()), nil
}

// startFeatures starts what works on a host that is there.
func (n *node) startFeatures(asked settings) (err error) {
	if asked.Gossipsub.on {
		if n.gossip, err = newGossip(n.host, asked.Gossipsub.asked); err != nil {
			return err
		}
	}
	if asked.Kad.on {
		if n.kad, err = newKad(n.host, asked.Kad.asked); err != nil {
			return err
		}
	}
	if asked.Mdns.on {
		if err := startMdns(n.host, asked.Mdns.asked); err != nil {
			return err
		}
	}
	if asked.Relay.asked.Server {
		if err := serveRelay(n.host, asked.Relay.asked); err != nil {
			return err
		}
	}
	return watchReachability(n.host, asked.Autonat.asked)
}

// featured makes a command of a method of a feature.
func featured[X, F any](name string, of func(*node) *X, run func(*X, F) (any, error)) command[*node] {
	var defaults F
	return does(defaults, func(n *node, asked F) (any, error) {
		if of(n) == nil {
			return nil, unsupported("%s is not switched on", name)
		}
		return run(of(n), asked)
	})
}

// listen listens on one more address, or reserves a place at a relay.
func (n *node) listen(on toAddress) (any, error) {
	if _, circuit := ma.SplitFunc(on.Address, isCircuit); circuit != nil {
		places := reservations{n.host, &n.announced}
		return fields{"addresses": []string{withID(on.Address, n.host)}}, places.reserve(on.Address)
	}
	before := map[string]bool{}
	for _, address := range boundAddresses(n.host) {
		before[address] = true
	}
	if err := n.host.Network().Listen(on.Address); err != nil {
		return nil, err
	}
	added := []string{}
	for _, address := range boundAddresses(n.host) {
		if !before[address] {
			added = append(added, address)
		}
	}
	return fields{"addresses": added}, nil
}
