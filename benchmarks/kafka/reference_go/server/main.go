// The reference for ingest: net/http and franz-go, doing as little as durable ingest can do.
// See README.md for what it leaves out.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// gatherer packs the events of requests that arrive while the last record is on its way into the
// next one of their partition.
type gatherer struct {
	client *kgo.Client
	topic  string
	lock   sync.Mutex
	open   *group
	busy   bool
}

// group is what leaves together; all its requests wait for one answer.
type group struct {
	bodies [][]byte // by partition, newline-delimited JSON
	done   chan struct{}
	err    error
}

func (g *gatherer) publish(events [][]byte) error {
	g.lock.Lock()
	mine := g.open
	if mine == nil {
		mine = &group{bodies: make([][]byte, *partitions), done: make(chan struct{})}
		g.open = mine
	}
	for _, event := range events {
		at := partition(visitor(event))
		mine.bodies[at] = append(append(mine.bodies[at], event...), '\n')
	}
	if !g.busy {
		g.busy = true
		go g.drain()
	}
	g.lock.Unlock()
	<-mine.done
	return mine.err
}

// drain sends group after group until nothing waits.
func (g *gatherer) drain() {
	for {
		g.lock.Lock()
		mine := g.open
		g.open = nil
		g.busy = mine != nil
		g.lock.Unlock()
		if mine == nil {
			return
		}
		var records []*kgo.Record
		for at, body := range mine.bodies {
			if len(body) > 0 {
				records = append(records, &kgo.Record{Topic: g.topic, Partition: int32(at), Value: body})
			}
		}
		mine.err = g.client.ProduceSync(context.Background(), records...).FirstErr()
		close(mine.done)
	}
}

var mark = []byte(`"visitor_id":"`)

// visitor finds the id by its name; a real ingest has to decode the event.
func visitor(event []byte) []byte {
	at := bytes.Index(event, mark)
	if at < 0 {
		return nil
	}
	rest := event[at+len(mark):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil
	}
	return rest[:end]
}

// partition is murmur2 of the key, as Kafka's own clients have it.
func partition(key []byte) int {
	const mix = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * mix
		h = h*mix ^ (k^k>>24)*mix
	}
	for at := len(key) - 1; at >= 0; at-- {
		h ^= uint32(key[at]) << (8 * at)
	}
	if len(key) > 0 {
		h *= mix
	}
	h = (h ^ h>>13) * mix
	return int((h^h>>15)&0x7fffffff) % *partitions
}

// split cuts a JSON array of objects, or one object, into its events.
func split(body []byte) [][]byte {
	var events [][]byte
	depth, start, quoted := 0, 0, false
	for at := 0; at < len(body); at++ {
		switch c := body[at]; {
		case quoted:
			if c == '\\' {
				at++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{':
			if depth == 0 {
				start = at
			}
			depth++
		case c == '}':
			depth--
			if depth == 0 {
				events = append(events, body[start:at+1])
			}
		}
	}
	return events
}

var partitions = flag.Int("partitions", 4, "of the topic")

func main() {
	bootstrap := flag.String("bootstrap", "", "")
	topic := flag.String("topic", "", "")
	flag.Parse()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(*bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(1<<20),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	all := &gatherer{client: client, topic: *topic}
	http.HandleFunc("/v1/events", func(out http.ResponseWriter, in *http.Request) {
		body := bytes.NewBuffer(make([]byte, 0, max(in.ContentLength, 512)))
		if _, err := io.Copy(body, in.Body); err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		events := split(body.Bytes())
		if err := all.publish(events); err != nil {
			http.Error(out, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(out, `{"received":%d}`, len(events))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
