package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
)

// streams numbers the scripted streams of both sides, tells of their beginning and end, and holds
// those that shall wait.
type streams struct {
	mutex sync.Mutex
	last  int
	open  map[int]*entry
}

type entry struct {
	facts    fields
	pipe     *pipe
	released chan struct{}
	release  func()
}

// A script is what one side does on a stream.
type script func(p *pipe, released <-chan struct{}) (fields, error)

const (
	opener   = "opener"
	accepter = "accepter"
)

// run plays a script over a stream; whatever error it ends with resets the stream.
func (s *streams) run(stream network.Stream, role string, held bool, play script) (fields, error) {
	entry := s.add(stream, role)
	if !held {
		entry.release()
	}
	outcome, err := play(entry.pipe, entry.released)
	if err != nil {
		entry.pipe.reset()
	}
	stream.Close()
	s.remove(entry, err)
	return outcome, err
}

func (s *streams) list() []fields {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	listed := []fields{}
	for _, number := range slices.Sorted(maps.Keys(s.open)) {
		entry := s.open[number]
		listed = append(listed, entry.facts.with(entry.pipe.counts()))
	}
	return listed
}

func (s *streams) release(number int) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	entry, found := s.open[number]
	if !found {
		return badRequest("no open stream %d", number)
	}
	entry.release()
	return nil
}

func (s *streams) add(stream network.Stream, role string) *entry {
	released := make(chan struct{})
	added := &entry{
		pipe:     newPipe(stream),
		released: released,
		release:  sync.OnceFunc(func() { close(released) }),
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.last++
	added.facts = fields{
		"stream": s.last, "protocol": stream.Protocol(), "peer": stream.Conn().RemotePeer(), "role": role,
	}
	s.open[s.last] = added
	emit("stream-opened", added.facts)
	return added
}

func (s *streams) remove(ended *entry, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.open, ended.facts["stream"].(int))
	emit("stream-ended", ended.facts.with(ended.pipe.counts()).with(fields{
		"how": howEnded(ended.pipe), "received_sha256": ended.pipe.digest(), "error": textOf(err),
	}))
}

func howEnded(p *pipe) string {
	if p.wasReset {
		return "reset"
	}
	return "end"
}

func textOf(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}
