package main

import (
	"log"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/sync/errgroup"
)

// The commands that are about streams.

func (n *node) serveLater(under withProtocol) (any, error) {
	n.serve(under.Protocol, false, serveEcho)
	return nil, nil
}

func (n *node) unhandle(under withProtocol) (any, error) {
	n.host.RemoveStreamHandler(under.Protocol)
	return nil, nil
}

func (n *node) perf(task perfTask) (any, error) {
	stream, err := n.open(task.Peer, perfProtocol)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	seconds, err := runPerf(stream, task.Upload, task.Download)
	return fields{"seconds": seconds}, err
}

func (n *node) echo(task echoTask) (any, error) {
	opened, err := each(task.Streams, func(int) (network.Stream, error) {
		return n.open(task.Peer, task.Protocol)
	})
	if err != nil {
		return nil, err
	}
	outcomes, err := each(task.Streams, func(index int) (fields, error) {
		return n.streams.run(opened[index], opener, false, echoing(task.Bytes, task.Seed))
	})
	return fields{"streams": outcomes}, err
}

func (n *node) source(task sourceTask) (any, error) {
	return n.play(task.Peer, task.Protocol, task.Hold, drawing(task.Bytes, task.Seed))
}

func (n *node) frames(task framesTask) (any, error) {
	return n.play(task.Peer, task.Protocol, false, framing(task.Sizes, task.Seed))
}

func (n *node) release(held withStream) (any, error) {
	return nil, n.streams.release(held.Stream)
}

func (n *node) listStreams(nothing) (any, error) {
	return fields{"streams": n.streams.list()}, nil
}

func (n *node) play(with peer.ID, under protocol.ID, held bool, play script) (any, error) {
	stream, err := n.open(with, under)
	if err != nil {
		return nil, err
	}
	return n.streams.run(stream, opener, held, play)
}

func (n *node) open(with peer.ID, under protocol.ID) (network.Stream, error) {
	return n.host.NewStream(withoutDialling(), with, under)
}

func (n *node) serve(under protocol.ID, held bool, play script) {
	n.host.SetStreamHandler(under, func(stream network.Stream) {
		if _, err := n.streams.run(stream, accepter, held, play); err != nil {
			log.Printf("%s: %v", under, err)
		}
	})
}

// each does a task that many times at once.
func each[T any](count int, task func(index int) (T, error)) ([]T, error) {
	outcomes := make([]T, count)
	tasks := errgroup.Group{}
	for index := range count {
		tasks.Go(func() (err error) {
			outcomes[index], err = task(index)
			return err
		})
	}
	return outcomes, tasks.Wait()
}
