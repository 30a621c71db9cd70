package main

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

type gossipSettings struct {
	Signing          string  `json:"signing,omitempty"`
	MessageID        string  `json:"message_id,omitempty"`
	D                *int    `json:"d,omitempty"`
	DLow             *int    `json:"d_low,omitempty"`
	DHigh            *int    `json:"d_high,omitempty"`
	DLazy            *int    `json:"d_lazy,omitempty"`
	DOut             *int    `json:"d_out,omitempty"`
	HeartbeatSeconds float64 `json:"heartbeat_seconds,omitempty"`
	FloodPublish     bool    `json:"flood_publish,omitempty"`
	MaxBytes         int     `json:"max_bytes,omitempty"`
	Scores           bool    `json:"scores,omitempty"`
	Verdict          string  `json:"verdict,omitempty"`
}

func (gossipSettings) defaults() gossipSettings {
	return gossipSettings{
		Signing:          "strict-sign",
		MessageID:        "library",
		HeartbeatSeconds: 1,
		FloodPublish:     true,
		MaxBytes:         1 << 20,
		Verdict:          "accept",
	}
}

var (
	signings = map[string][]pubsub.Option{
		"strict-sign":    {pubsub.WithMessageSignaturePolicy(pubsub.StrictSign)},
		"strict-no-sign": {pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor()},
		"lax":            {pubsub.WithMessageSignaturePolicy(pubsub.LaxSign)},
	}
	messageIDs = map[string]pubsub.MsgIdFunction{
		"library": pubsub.DefaultMsgIdFn,
		"sha256": func(message *pb.Message) string {
			digest := sha256.Sum256(message.GetData())
			return string(digest[:])
		},
	}
	verdicts = map[string]pubsub.ValidationResult{
		"accept": pubsub.ValidationAccept, "ignore": pubsub.ValidationIgnore, "reject": pubsub.ValidationReject,
	}
)

// gossip is gossipsub, with what a test wants to see of it.
type gossip struct {
	pubsub    *pubsub.PubSub
	self      peer.ID
	messageID pubsub.MsgIdFunction
	verdict   pubsub.ValidationResult
	scored    bool
	watched   watched

	mutex  sync.Mutex
	topics map[string]*topic
}

type topic struct {
	*pubsub.Topic
	subscription *pubsub.Subscription
}

func newGossip(h host.Host, asked gossipSettings) (*gossip, error) {
	g := &gossip{
		self:    h.ID(),
		scored:  asked.Scores,
		watched: watched{mesh: map[string]map[peer.ID]bool{}},
		topics:  map[string]*topic{},
	}
	var err error
	if g.messageID, err = named(messageIDs, asked.MessageID); err != nil {
		return nil, err
	}
	if g.verdict, err = named(verdicts, asked.Verdict); err != nil {
		return nil, err
	}
	signing, err := named(signings, asked.Signing)
	if err != nil {
		return nil, err
	}
	options := append([]pubsub.Option{
		pubsub.WithMessageIdFn(g.messageID),
		pubsub.WithGossipSubParams(gossipParams(asked)),
		pubsub.WithFloodPublish(asked.FloodPublish),
		pubsub.WithMaxMessageSize(asked.MaxBytes),
		pubsub.WithDefaultValidator(g.validate),
		pubsub.WithEventTracer(&g.watched),
	}, signing...)
	if g.scored {
		options = append(options, g.watched.scoring()...)
	}
	g.pubsub, err = pubsub.NewGossipSub(context.Background(), h, options...)
	return g, err
}

func gossipParams(asked gossipSettings) pubsub.GossipSubParams {
	params := pubsub.DefaultGossipSubParams()
	params.HeartbeatInterval = seconds(asked.HeartbeatSeconds)
	for given, into := range map[*int]*int{
		asked.D: &params.D, asked.DLow: &params.Dlo, asked.DHigh: &params.Dhi,
		asked.DLazy: &params.Dlazy, asked.DOut: &params.Dout,
	} {
		if given != nil {
			*into = *given
		}
	}
	params.Dscore = min(params.Dscore, params.Dhi)
	return params
}

func seconds(count float64) time.Duration {
	return time.Duration(count * float64(time.Second))
}

// validate says the verdict on what others sent; of what is our own it only takes the id.
func (g *gossip) validate(_ context.Context, _ peer.ID, message *pubsub.Message) pubsub.ValidationResult {
	if id, isOurs := message.ValidatorData.(*hexBytes); isOurs {
		*id = hexBytes(g.messageID(message.Message))
		return pubsub.ValidationAccept
	}
	return g.verdict
}

// topic joins a topic, once.
func (g *gossip) topic(name string) (*topic, error) {
	if joined, found := g.topics[name]; found {
		return joined, nil
	}
	joined, err := g.pubsub.Join(name)
	if err != nil {
		return nil, err
	}
	if g.scored {
		err = joined.SetScoreParams(topicScoring())
	}
	g.topics[name] = &topic{Topic: joined}
	return g.topics[name], err
}
