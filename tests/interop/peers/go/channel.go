package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"sync"
)

// The command channel: JSON lines in on standard input, out on standard output.

const maxLineBytes = 64 << 20

type errBadRequest struct{ error }
type errUnsupported struct{ error }

func badRequest(format string, args ...any) error {
	return errBadRequest{fmt.Errorf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return errUnsupported{fmt.Errorf(format, args...)}
}

// fields are those of an answer or an event.
type fields map[string]any

func (f fields) with(more fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// serve answers requests with what handle makes of them; it returns when the input ends.
func serve(input io.Reader, handle func(request) (any, error)) {
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		go answer(lines.Text(), handle)
	}
}

func answer(line string, handle func(request) (any, error)) {
	asked, err := parseRequest(line)
	var ok any
	if err == nil {
		ok, err = handle(asked)
	}
	if err != nil {
		log.Printf("request %s: %v", line, err)
		writeLine(fields{"id": asked.id, "error": err.Error(), "kind": kindOf(err)})
		return
	}
	if ok == nil {
		ok = fields{}
	}
	writeLine(fields{"id": asked.id, "ok": ok})
}

func emit(event string, facts fields) {
	writeLine(facts.with(fields{"event": event}))
}

func kindOf(err error) string {
	switch {
	case errors.As(err, &errBadRequest{}):
		return "bad-request"
	case errors.As(err, &errUnsupported{}):
		return "unsupported"
	default:
		return "failed"
	}
}

var output = struct {
	sync.Mutex
	*json.Encoder
}{Encoder: json.NewEncoder(os.Stdout)}

func writeLine(message fields) {
	output.Lock()
	defer output.Unlock()
	if err := output.Encode(message); err != nil {
		log.Fatal(err)
	}
}

// list is never null in JSON, as an empty slice may be.
func list[T any](items []T) []T {
	return append([]T{}, items...)
}
