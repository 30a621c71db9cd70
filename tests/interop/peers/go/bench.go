package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// `peer bench`: the same node as a contestant of the benchmarks, whose scripts are those of
// benchmarks/workers/scripts.py.

const (
	benchBulk = protocol.ID("/bench/bulk/1")
	benchEcho = protocol.ID("/bench/echo/1")
)

var benchListen = map[string]string{"tcp": "/ip4/%s/tcp/0", "quic": "/ip4/%s/udp/0/quic-v1"}

var benchCommands = map[string]command[*worker]{
	"start":        does(benchSettings{IP: "127.0.0.1"}, (*worker).start),
	"dial":         does(toAddress{}, (*worker).dial),
	"disconnect":   does(withPeer{}, (*worker).disconnect),
	"send":         does(bulkTask{}, (*worker).send),
	"parallel":     does(parallelTask{}, (*worker).parallel),
	"open-streams": does(countTask{}, (*worker).openStreams),
	"echo":         does(echoesTask{}, (*worker).echoes),
	"shake-hands":  does(handshakesTask{}, (*worker).shakeHands),
}

type benchSettings struct {
	Transport string `json:"transport"`
	Security  string `json:"security"`
	IP        string `json:"ip,omitempty"`
}

type bulkTask struct {
	Peer  peer.ID `json:"peer"`
	Bytes uint64  `json:"bytes"`
	Seed  uint64  `json:"seed"`
}

type parallelTask struct {
	bulkTask
	Streams int `json:"streams"`
}

type countTask struct {
	Peer  peer.ID `json:"peer"`
	Count int     `json:"count"`
}

type echoesTask struct {
	countTask
	Bytes int `json:"bytes"`
}

type handshakesTask struct {
	toAddress
	countTask
}

// A worker is what the benchmarks' commands are asked of.
type worker struct {
	host host.Host
}

func (w *worker) handle(asked request) (any, error) {
	run, found := benchCommands[asked.do]
	if !found {
		return nil, badRequest("no command %s", asked.do)
	}
	return run(w, asked)
}

func (w *worker) stop() {
	if w.host != nil {
		w.host.Close()
	}
}

func (w *worker) start(asked benchSettings) (any, error) {
	listen, err := named(benchListen, asked.Transport)
	if err != nil {
		return nil, err
	}
	node := defaultSettings()
	node.Transports, node.Security = []string{asked.Transport}, []string{asked.Security}
	node.Listen = []string{fmt.Sprintf(listen, asked.IP)}
	if w.host, err = newHost(node, []libp2p.Option{libp2p.DisableRelay()}); err != nil {
		return nil, err
	}
	w.host.SetStreamHandler(benchBulk, serving(receiveBulk))
	w.host.SetStreamHandler(benchEcho, serving(func(stream network.Stream) error {
		return copyBlocks(stream, stream)
	}))
	return fields{
		"peer":           w.host.ID(),
		"addresses":      boundAddresses(w.host),
		"implementation": implementation,
		"version":        fmt.Sprintf("%s (%s)", version(), runtime.Version()),
	}, nil
}

func serving(serve func(network.Stream) error) network.StreamHandler {
	return func(stream network.Stream) {
		if err := serve(stream); err != nil {
			log.Printf("%s: %v", stream.Protocol(), err)
			stream.Reset()
		}
		stream.Close()
	}
}

// dial is over when the other side has been identified, as the library has it.
func (w *worker) dial(to toAddress) (any, error) {
	there, err := peer.AddrInfoFromP2pAddr(to.Address)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return nil, w.host.Connect(context.Background(), *there)
}

func (w *worker) disconnect(from withPeer) (any, error) {
	return nil, w.host.Network().ClosePeer(from.Peer)
}

func (w *worker) send(task bulkTask) (any, error) {
	outcomes, err := w.sendAll(task, 1)
	if err != nil {
		return nil, err
	}
	return outcomes[0], nil
}

func (w *worker) parallel(task parallelTask) (any, error) {
	outcomes, err := w.sendAll(task.bulkTask, task.Streams)
	return fields{"streams": outcomes}, err
}

func (w *worker) sendAll(task bulkTask, count int) ([]fields, error) {
	opened := make([]network.Stream, count)
	for index := range opened {
		var err error
		if opened[index], err = w.open(task.Peer, benchBulk); err != nil {
			return nil, err
		}
		defer opened[index].Close()
	}
	ring, err := io.ReadAll(newPattern(task.Seed, ringBlocks*blockBytes))
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	return each(count, func(index int) (fields, error) {
		return sendBulk(opened[index], ring, task.Bytes, index, begun)
	})
}

func (w *worker) openStreams(task countTask) (any, error) {
	begun := time.Now()
	for number := range task.Count {
		stream, err := w.open(task.Peer, benchEcho)
		if err != nil {
			return nil, err
		}
		if err := exchange(stream, []byte{byte(number)}); err != nil {
			return nil, err
		}
		if err := stream.Close(); err != nil {
			return nil, err
		}
	}
	return fields{"seconds": time.Since(begun).Seconds()}, nil
}

func (w *worker) echoes(task echoesTask) (any, error) {
	stream, err := w.open(task.Peer, benchEcho)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	seconds := make([]float64, task.Count)
	for number := range seconds {
		message := bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(number)), task.Bytes/4)
		begun := time.Now()
		if err := exchange(stream, message); err != nil {
			return nil, err
		}
		seconds[number] = time.Since(begun).Seconds()
	}
	return fields{"seconds": seconds}, nil
}

func (w *worker) shakeHands(task handshakesTask) (any, error) {
	total := time.Duration(0)
	for range task.Count {
		begun := time.Now()
		if _, err := w.dial(task.toAddress); err != nil {
			return nil, err
		}
		total += time.Since(begun)
		if _, err := w.disconnect(withPeer{task.Peer}); err != nil {
			return nil, err
		}
	}
	return fields{"seconds": total.Seconds()}, nil
}

func (w *worker) open(with peer.ID, under protocol.ID) (network.Stream, error) {
	return w.host.NewStream(withoutDialling(), with, under)
}
