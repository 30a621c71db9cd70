package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
)

// A request: its number, its command, and the command's fields, which are not read yet.
type request struct {
	id     json.RawMessage
	do     string
	fields map[string]json.RawMessage
}

func parseRequest(line string) (request, error) {
	asked := request{}
	if err := json.Unmarshal([]byte(line), &asked.fields); err != nil {
		return asked, badRequest("no JSON object: %v", err)
	}
	asked.id = asked.fields["id"]
	if err := json.Unmarshal(asked.fields["do"], &asked.do); err != nil {
		return asked, badRequest("no command: %v", err)
	}
	delete(asked.fields, "id")
	delete(asked.fields, "do")
	return asked, nil
}

// fill reads the fields of a request into a struct that holds their defaults. Those without
// `omitempty` in their tag must be given; unknown ones are refused.
func fill[F any](asked request, defaults F) (F, error) {
	filled := defaults
	for name := range required(reflect.TypeFor[F]()) {
		if !isGiven(asked.fields[name]) {
			return filled, badRequest("missing field %s", name)
		}
	}
	given, err := json.Marshal(asked.fields)
	if err != nil {
		return filled, badRequest("%v", err)
	}
	if err := decodeStrictly(given, &filled); err != nil {
		return filled, badRequest("%v", err)
	}
	return filled, nil
}

func required(kind reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, field := range reflect.VisibleFields(kind) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && options != "omitempty" {
			names[name] = true
		}
	}
	return names
}

func isGiven(field json.RawMessage) bool {
	return field != nil && string(field) != "null"
}

// A feature is a field of `start` that is absent by default, and has defaults of its own.
type feature[F interface{ defaults() F }] struct {
	on    bool
	asked F
}

func (f *feature[F]) UnmarshalJSON(given []byte) error {
	f.on = isGiven(given)
	f.asked = f.asked.defaults()
	return decodeStrictly(given, &f.asked)
}

func decodeStrictly(given []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(given))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// hexBytes are bytes that are hexadecimal text in requests and answers.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) {
	return []byte(hex.EncodeToString(h)), nil
}
