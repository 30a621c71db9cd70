package main

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multihash"
)

type kadSettings struct {
	Protocol protocol.ID `json:"protocol,omitempty"`
	Mode     string      `json:"mode,omitempty"`
}

func (kadSettings) defaults() kadSettings {
	return kadSettings{Protocol: "/ipfs/kad/1.0.0", Mode: "server"}
}

type withKey struct {
	Key hexBytes `json:"key"`
}

type keyAndValue struct {
	Key   hexBytes `json:"key"`
	Value hexBytes `json:"value"`
}

const (
	lookupLimit = 50 * time.Second
	namespace   = "test"
	// Under its default prefix the library takes no namespaces but those of IPFS.
	prefix = "/peerloom"
)

var modes = map[string]dht.ModeOpt{"server": dht.ModeServer, "client": dht.ModeClient}

// kad is the distributed hash table.
type kad struct {
	dht *dht.IpfsDHT
}

func newKad(h host.Host, asked kadSettings) (*kad, error) {
	mode, err := named(modes, asked.Mode)
	if err != nil {
		return nil, err
	}
	table, err := dht.New(
		h,
		dht.Mode(mode),
		dht.ProtocolPrefix(prefix),
		dht.V1ProtocolOverride(asked.Protocol),
		dht.NamespacedValidator(namespace, greatest{}),
	)
	return &kad{table}, err
}

// greatest takes any value, and prefers the greatest.
type greatest struct{}

func (greatest) Validate(string, []byte) error {
	return nil
}

func (greatest) Select(_ string, values [][]byte) (int, error) {
	return slices.IndexFunc(values, func(value []byte) bool {
		return bytes.Equal(value, slices.MaxFunc(values, bytes.Compare))
	}), nil
}

func looking[F any](run func(*kad, context.Context, F) (any, error)) command[*node] {
	return featured("kad", func(n *node) *kad { return n.kad }, func(k *kad, asked F) (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
		defer cancel()
		return run(k, ctx, asked)
	})
}

func (k *kad) add(_ context.Context, known toAddress) (any, error) {
	there, err := peer.AddrInfoFromP2pAddr(known.Address)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	k.dht.Host().Peerstore().AddAddrs(there.ID, there.Addrs, peerstore.PermanentAddrTTL)
	_, err = k.dht.RoutingTable().TryAddPeer(there.ID, true, false)
	return nil, err
}

func (k *kad) table(context.Context, nothing) (any, error) {
	return fields{"peers": list(k.dht.RoutingTable().ListPeers())}, nil
}

func (k *kad) bootstrap(ctx context.Context, _ nothing) (any, error) {
	if err := k.dht.Bootstrap(ctx); err != nil {
		return nil, err
	}
	return nil, <-k.dht.RefreshRoutingTable()
}

func (k *kad) closest(ctx context.Context, to withKey) (any, error) {
	peers, err := k.dht.GetClosestPeers(ctx, string(to.Key))
	return fields{"peers": list(peers)}, err
}

func (k *kad) find(ctx context.Context, whom withPeer) (any, error) {
	found, err := k.dht.FindPeer(ctx, whom.Peer)
	return fields{"addresses": list(found.Addrs)}, err
}

func (k *kad) put(ctx context.Context, what keyAndValue) (any, error) {
	return nil, k.dht.PutValue(ctx, string(what.Key), what.Value)
}

func (k *kad) get(ctx context.Context, what withKey) (any, error) {
	value, err := k.dht.GetValue(ctx, string(what.Key))
	return fields{"value": hexBytes(value)}, err
}

func (k *kad) provide(ctx context.Context, what withKey) (any, error) {
	content, err := contentOf(what.Key)
	if err != nil {
		return nil, err
	}
	return nil, k.dht.Provide(ctx, content, true)
}

func (k *kad) providers(ctx context.Context, of withKey) (any, error) {
	content, err := contentOf(of.Key)
	if err != nil {
		return nil, err
	}
	found, err := k.dht.FindProviders(ctx, content)
	return fields{"peers": list(peer.AddrInfosToIDs(found))}, err
}

func contentOf(key hexBytes) (cid.Cid, error) {
	hash, err := multihash.Cast(key)
	if err != nil {
		return cid.Undef, badRequest("%v", err)
	}
	return cid.NewCidV1(cid.Raw, hash), nil
}
