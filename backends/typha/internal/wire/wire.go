// Package wire has the messages between a Typha server and its clients, as
// encoding/gob values of one struct, and the names that both sides know them by.
//
// gob matches fields by name, ignores those that one side lacks, and takes a
// missing one for zero: what is not used here is left out.
package wire

import (
	"encoding/gob"
	"time"
)

// Syncer is the kind of stream that is asked for: what BGP needs.
const Syncer = "bgp"

// Snappy is the compression that both sides know: snappy's framed format.
const Snappy = "snappy"

// Envelope is what goes over the wire.
type Envelope struct{ Message any }

// ClientHello is what a client sends first.
type ClientHello struct {
	Hostname, Info, Version        string
	SyncerType                     string
	SupportsDecoderRestart         bool
	SupportedCompressionAlgorithms []string
	// SupportsModernPolicyKeys has no meaning for BGP, but newer servers hang up
	// without it.
	SupportsModernPolicyKeys bool
	ClientConnID             uint64
}

// ServerHello is what a server sends first.
type ServerHello struct {
	Version string
	// SyncerType is what was asked for; empty: a server that knows no others.
	SyncerType                  string
	SupportsNodeResourceUpdates bool
	ServerConnID                uint64
}

// DecoderRestart announces that all that follows is for a new decoder. It follows
// once the client has sent an ACK.
type DecoderRestart struct{ Message, CompressionAlgorithm string }

// ACK answers a DecoderRestart. gob sends no struct that has no field.
type ACK struct{ Unused bool }

// KVs are keys as they are now.
type KVs struct{ KVs []KV }

// KV is a key, and its value.
type KV struct {
	Key   string
	Value []byte
	// Revision is the datastore's version of the key, a string in practice.
	Revision   any
	UpdateType uint8
}

// Deleted is the UpdateType of a key that is gone. A key of any other that has no
// value is there, and the server found it invalid.
const Deleted uint8 = 3

// SyncStatus says how far the server is.
type SyncStatus struct{ SyncStatus uint8 }

// The states of a server.
const (
	WaitForDatastore uint8 = 0
	ResyncInProgress uint8 = 1
	InSync           uint8 = 2
)

// Ping is to be answered with a Pong.
type Ping struct{ Timestamp time.Time }

// Pong answers a Ping.
type Pong struct{ PingTimestamp, PongTimestamp time.Time }

// Register tells encoding/gob of the messages. It may be called many times.
func Register() {
	const prefix = "github.com/projectcalico/typha/pkg/syncproto.Msg"
	for name, message := range map[string]any{
		"ClientHello": ClientHello{}, "ServerHello": ServerHello{}, "DecoderRestart": DecoderRestart{}, "ACK": ACK{},
		"KVs": KVs{}, "SyncStatus": SyncStatus{}, "Ping": Ping{}, "Pong": Pong{},
	} {
		gob.RegisterName(prefix+name, message)
	}
}
