package main

import (
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"
)

// Hole punching and AutoNAT.

type dcutrSettings struct{}

func (dcutrSettings) defaults() dcutrSettings {
	return dcutrSettings{}
}

type autonatSettings struct {
	V1 string `json:"v1,omitempty"`
	V2 string `json:"v2,omitempty"`
}

func (autonatSettings) defaults() autonatSettings {
	return autonatSettings{V1: "off", V2: "off"}
}

// A part is what a node plays of a protocol that has two.
type part struct{ client, server bool }

var parts = map[string]part{
	"":       {}, // where nothing is said of AutoNAT at all
	"off":    {},
	"client": {client: true},
	"server": {server: true},
	"both":   {client: true, server: true},
}

func natOptions(asked settings) ([]libp2p.Option, error) {
	options := []libp2p.Option{}
	if asked.Dcutr.on {
		options = append(options, libp2p.EnableHolePunching(holepunch.WithTracer(punched{})))
	}
	v1, v2, err := asked.Autonat.asked.parts()
	if err != nil {
		return nil, err
	}
	if v1.server {
		options = append(options, libp2p.EnableNATService())
	}
	if v2.client || v2.server {
		options = append(options, libp2p.EnableAutoNATv2())
	}
	return options, nil
}

func (a autonatSettings) parts() (v1, v2 part, err error) {
	if v1, err = named(parts, a.V1); err != nil {
		return v1, v2, err
	}
	v2, err = named(parts, a.V2)
	return v1, v2, err
}

// watchReachability tells what AutoNAT finds. go-libp2p asks by version 1 in any case, and by version
// 2 when it serves it: then only our silence makes it no client.
func watchReachability(h host.Host, asked autonatSettings) error {
	v1, v2, err := asked.parts()
	if err != nil {
		return err
	}
	if v2.client && !v2.server {
		h.RemoveStreamHandler(autonatv2.DialProtocol)
	}
	told, err := h.EventBus().Subscribe(
		[]any{new(event.EvtLocalReachabilityChanged), new(event.EvtHostReachableAddrsChanged)},
	)
	if err != nil {
		return err
	}
	go tellChanges(told, v1.client, v2.client)
	return nil
}

func tellChanges(told event.Subscription, byV1, byV2 bool) {
	last := map[string]any{}
	for each := range told.Out() {
		switch change := each.(type) {
		case event.EvtLocalReachabilityChanged:
			if byV1 {
				tellReachable(nil, reachable[change.Reachability], "v1")
			}
		case event.EvtHostReachableAddrsChanged:
			if byV2 {
				tellAddresses(change, last)
			}
		}
	}
}

func tellReachable(address, reachable any, by string) {
	emit("reachability", fields{"address": address, "reachable": reachable, "by": by})
}

var reachable = map[network.Reachability]any{
	network.ReachabilityPublic: true, network.ReachabilityPrivate: false, network.ReachabilityUnknown: nil,
}

// tellAddresses emits what has changed since the last time.
func tellAddresses(now event.EvtHostReachableAddrsChanged, last map[string]any) {
	for _, state := range []struct {
		addresses []ma.Multiaddr
		reachable any
	}{{now.Reachable, true}, {now.Unreachable, false}, {now.Unknown, nil}} {
		for _, address := range state.addresses {
			before, known := last[address.String()]
			if !known || before != state.reachable {
				tellReachable(address, state.reachable, "v2")
			}
			last[address.String()] = state.reachable
		}
	}
}

// punched tells how attempts at a direct connection end.
type punched struct{}

func (punched) Trace(told *holepunch.Event) {
	switch ended := told.Evt.(type) {
	case *holepunch.EndHolePunchEvt:
		emit("hole-punched", fields{"peer": told.Remote, "error": orNull(ended.Error)})
	case *holepunch.DirectDialEvt:
		if ended.Success {
			emit("hole-punched", fields{"peer": told.Remote, "error": nil})
		}
	}
}
