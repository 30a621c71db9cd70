package main

import (
	"context"
	"log"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

type relaySettings struct {
	Server             bool     `json:"server,omitempty"`
	Reservations       *int     `json:"reservations,omitempty"`
	ReservationSeconds *float64 `json:"reservation_seconds,omitempty"`
	CircuitSeconds     *float64 `json:"circuit_seconds,omitempty"`
	CircuitBytes       *int64   `json:"circuit_bytes,omitempty"`
}

func (relaySettings) defaults() relaySettings {
	return relaySettings{}
}

// serveRelay serves at once, where libp2p.EnableRelayService waits for a public address.
func serveRelay(h host.Host, asked relaySettings) error {
	resources := relay.DefaultResources()
	if asked.Reservations != nil {
		resources.MaxReservations = *asked.Reservations
	}
	if asked.ReservationSeconds != nil {
		resources.ReservationTTL = seconds(*asked.ReservationSeconds)
	}
	if asked.CircuitSeconds != nil {
		resources.Limit.Duration = seconds(*asked.CircuitSeconds)
	}
	if asked.CircuitBytes != nil {
		resources.Limit.Data = *asked.CircuitBytes
	}
	anyAddress := func(ma.Multiaddr) bool { return true }
	_, err := relay.New(h, relay.WithResources(resources), relay.WithReservationAddressFilter(anyAddress))
	return err
}

// reservations are this node's places at relays.
type reservations struct {
	host      host.Host
	announced *announced
}

// reserve takes a place for a circuit address (`…/p2p/<relay>/p2p-circuit`) and keeps it.
func (r *reservations) reserve(circuit ma.Multiaddr) error {
	direct, _ := ma.SplitFunc(circuit, isCircuit)
	there, err := peer.AddrInfoFromP2pAddr(direct)
	if err != nil {
		return badRequest("%v", err)
	}
	if err := r.host.Connect(context.Background(), *there); err != nil {
		return err
	}
	place, err := client.Reserve(context.Background(), r.host, *there)
	if err != nil {
		return err
	}
	emit("reserved", fields{"relay": there.ID, "renewal": false})
	go r.keep(*there, circuit, place)
	return r.announced.add(r.host, circuit)
}

// keep renews a place each time that half of its life is over, as long as the relay agrees.
func (r *reservations) keep(at peer.AddrInfo, circuit ma.Multiaddr, place *client.Reservation) {
	for {
		time.Sleep(time.Until(place.Expiration) / 2)
		renewed, err := client.Reserve(context.Background(), r.host, at)
		if err != nil {
			log.Printf("the place at %s is lost: %v, %v", at.ID, err, r.announced.remove(r.host, circuit))
			return
		}
		place = renewed
		emit("reserved", fields{"relay": at.ID, "renewal": true})
	}
}

func isCircuit(part ma.Component) bool {
	return part.Protocol().Code == ma.P_CIRCUIT
}
