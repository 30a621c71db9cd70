package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

type withTopic struct {
	Topic string `json:"topic"`
}

type publication struct {
	Topic string `json:"topic"`
	Bytes int64  `json:"bytes"`
	Seed  uint64 `json:"seed"`
}

func gossiping[F any](run func(*gossip, F) (any, error)) command[*node] {
	return featured("gossipsub", func(n *node) *gossip { return n.gossip }, run)
}

func (g *gossip) subscribe(to withTopic) (any, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	joined, err := g.topic(to.Topic)
	if err != nil || joined.subscription != nil {
		return nil, err
	}
	joined.subscription, err = joined.Subscribe()
	if err == nil {
		go g.tellMessages(joined.subscription)
	}
	return nil, err
}

func (g *gossip) unsubscribe(from withTopic) (any, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	joined, found := g.topics[from.Topic]
	if !found || joined.subscription == nil {
		return nil, badRequest("not subscribed to %s", from.Topic)
	}
	joined.subscription.Cancel()
	joined.subscription = nil
	return nil, nil
}

func (g *gossip) publish(what publication) (any, error) {
	g.mutex.Lock()
	joined, err := g.topic(what.Topic)
	g.mutex.Unlock()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(newPattern(what.Seed, what.Bytes))
	if err != nil {
		return nil, err
	}
	id := new(hexBytes)
	err = joined.Publish(context.Background(), data, pubsub.WithValidatorData(id))
	return fields{"message": id}, err
}

func (g *gossip) mesh(of withTopic) (any, error) {
	return fields{"peers": g.watched.meshOf(of.Topic)}, nil
}

func (g *gossip) subscribers(of withTopic) (any, error) {
	return fields{"peers": list(g.pubsub.ListPeers(of.Topic))}, nil
}

func (g *gossip) score(of withPeer) (any, error) {
	if !g.scored {
		return nil, unsupported("scores are not switched on")
	}
	return fields{"score": g.watched.scoreOf(of.Peer)}, nil
}

func (g *gossip) tellMessages(subscription *pubsub.Subscription) {
	for {
		message, err := subscription.Next(context.Background())
		if err != nil {
			return
		}
		if message.ReceivedFrom != g.self {
			digest := sha256.Sum256(message.Data)
			emit("message", fields{
				"topic":   message.GetTopic(),
				"author":  orNull(message.GetFrom().String()),
				"from":    message.ReceivedFrom,
				"message": hexBytes(message.ID),
				"bytes":   len(message.Data),
				"sha256":  hex.EncodeToString(digest[:]),
			})
		}
	}
}
