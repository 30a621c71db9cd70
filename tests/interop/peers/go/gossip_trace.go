package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	lookAtScores  = 100 * time.Millisecond
	decayInterval = time.Second
	decayToZero   = 0.01
	decay         = 0.9
)

// watched is what go-libp2p-pubsub has no question for: it tells of it as it happens.
type watched struct {
	mutex  sync.Mutex
	mesh   map[string]map[peer.ID]bool
	scores map[peer.ID]float64
}

func (w *watched) meshOf(topic string) []peer.ID {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.AppendSeq([]peer.ID{}, maps.Keys(w.mesh[topic]))
}

func (w *watched) scoreOf(whom peer.ID) float64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.scores[whom]
}

// Trace keeps the mesh, and tells of others' subscriptions.
func (w *watched) Trace(told *pb.TraceEvent) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	switch told.GetType() {
	case pb.TraceEvent_GRAFT:
		w.graft(told.Graft.GetTopic(), peer.ID(told.Graft.PeerID))
	case pb.TraceEvent_PRUNE:
		delete(w.mesh[told.Prune.GetTopic()], peer.ID(told.Prune.PeerID))
	case pb.TraceEvent_LEAVE:
		delete(w.mesh, told.Leave.GetTopic())
	case pb.TraceEvent_ON_CLOSED_OUTBOUND_STREAM:
		for _, peers := range w.mesh {
			delete(peers, peer.ID(told.OnClosedOutboundStream.PeerID))
		}
	case pb.TraceEvent_RECV_RPC:
		tellSubscriptions(peer.ID(told.RecvRPC.ReceivedFrom), told.RecvRPC.GetMeta().GetSubscription())
	}
}

func (w *watched) graft(topic string, added peer.ID) {
	if w.mesh[topic] == nil {
		w.mesh[topic] = map[peer.ID]bool{}
	}
	w.mesh[topic][added] = true
}

func tellSubscriptions(of peer.ID, changes []*pb.TraceEvent_SubMeta) {
	for _, change := range changes {
		event := "unsubscribed"
		if change.GetSubscribe() {
			event = "subscribed"
		}
		emit(event, fields{"peer": of, "topic": change.GetTopic()})
	}
}

// scoring are scores that know nothing but misbehaviour: the library has no defaults.
func (w *watched) scoring() []pubsub.Option {
	return []pubsub.Option{
		pubsub.WithPeerScore(
			&pubsub.PeerScoreParams{
				Topics:                 map[string]*pubsub.TopicScoreParams{},
				AppSpecificScore:       func(peer.ID) float64 { return 0 },
				BehaviourPenaltyWeight: -1,
				BehaviourPenaltyDecay:  decay,
				DecayInterval:          decayInterval,
				DecayToZero:            decayToZero,
			},
			&pubsub.PeerScoreThresholds{
				GossipThreshold: -10, PublishThreshold: -50, GraylistThreshold: -80,
			},
		),
		pubsub.WithPeerScoreInspect(w.keepScores, lookAtScores),
	}
}

func topicScoring() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		TopicWeight:                    1,
		TimeInMeshQuantum:              time.Second,
		FirstMessageDeliveriesWeight:   1,
		FirstMessageDeliveriesDecay:    decay,
		FirstMessageDeliveriesCap:      10,
		InvalidMessageDeliveriesWeight: -1,
		InvalidMessageDeliveriesDecay:  decay,
	}
}

func (w *watched) keepScores(scores map[peer.ID]float64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.scores = maps.Clone(scores)
}
