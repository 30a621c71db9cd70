package main

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

type mdnsSettings struct {
	Service         string   `json:"service,omitempty"`
	IntervalSeconds *float64 `json:"interval_seconds,omitempty"`
}

func (mdnsSettings) defaults() mdnsSettings {
	return mdnsSettings{Service: mdns.ServiceName}
}

func startMdns(h host.Host, asked mdnsSettings) error {
	if asked.IntervalSeconds != nil {
		return unsupported("go-libp2p queries when it likes (p2p/discovery/mdns)")
	}
	return mdns.NewMdnsService(h, asked.Service, discovered{}).Start()
}

type discovered struct{}

func (discovered) HandlePeerFound(found peer.AddrInfo) {
	emit("discovered", fields{"peer": found.ID, "addresses": found.Addrs})
}
