// The load generator: ready-made HTTP/1.1 requests over keep-alive connections, timed each.
//
// Flat out, every connection has one request under way. Paced, requests are due at a fixed rate with
// random gaps, whatever the answers do, and are timed from when they were due. How late they were
// sent is told too: it says how much of a latency is the machine's, or of connections all in use.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var (
	address = flag.String("address", "", "host:port")
	key     = flag.String("key", "", "write key")
	batch   = flag.Int("batch", 100, "events a request")
	connect = flag.Int("connections", 32, "connections")
	seconds = flag.Float64("seconds", 5, "how long")
	pace    = flag.Float64("rate", 0, "requests a second; 0: flat out")
	seed    = flag.Int64("seed", 7, "of events and gaps")
	kinds   = []string{"page_view", "page_view", "product_view", "page_view", "click", "search", "cart_add"}
)

// refused counts requests that an overloaded server sent away, as the protocol lets it.
var refused atomic.Int64

const pause = 50 * time.Millisecond

func event(number int64, now int64) map[string]any {
	kind := kinds[number%int64(len(kinds))]
	return map[string]any{
		"type": kind, "event_id": fmt.Sprintf("e-%d-%012d", *seed, number),
		"visitor_id": fmt.Sprintf("v-%08d", number/9%20000), "ts_ms": now - number%5000,
		"url":      fmt.Sprintf("https://shop.example/%s/%d", kind, number%997),
		"referrer": "https://shop.example/",
		"ua": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			fmt.Sprintf("Chrome/%d.0.0.0 Safari/537.36", 100+number%40),
	}
}

func requests() [][]byte {
	now := time.Now().UnixMilli()
	count := max(400, 20000 / *batch)
	made := make([][]byte, count)
	for at := range made {
		var what any = event(int64(at), now)
		if *batch > 1 {
			list := make([]any, *batch)
			for i := range list {
				list[i] = event(int64(at**batch+i), now)
			}
			what = list
		}
		body, err := json.Marshal(what)
		fail(err)
		made[at] = append([]byte(fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", *address, *key, len(body))), body...)
	}
	return made
}

// due gives out the times at which requests are to be sent.
type due struct {
	lock  sync.Mutex
	next  time.Time
	until time.Time
	count int
	rand  *rand.Rand
}

func (d *due) take() (time.Time, int, bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	at := time.Now()
	if *pace > 0 {
		at = d.next
		d.next = d.next.Add(time.Duration(d.rand.ExpFloat64() / *pace * float64(time.Second)))
	}
	d.count++
	return at, d.count, at.Before(d.until)
}

// timing is what one request took from when it was due, and how late it was sent.
type timing struct{ took, late time.Duration }

func work(all *due, ready [][]byte) []timing {
	line, err := net.Dial("tcp", *address)
	fail(err)
	defer line.Close()
	answers := bufio.NewReader(line)
	var seen []timing
	for {
		at, number, more := all.take()
		if !more {
			return seen
		}
		if wait := time.Until(at); wait > 0 {
			time.Sleep(wait)
		}
		late := time.Since(at)
		_, err := line.Write(ready[number%len(ready)])
		fail(err)
		answer, err := http.ReadResponse(answers, nil)
		fail(err)
		text, err := io.ReadAll(answer.Body)
		fail(err)
		if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable {
			refused.Add(1)
			time.Sleep(pause)
			continue
		}
		if answer.StatusCode != http.StatusOK {
			fail(fmt.Errorf("answered %s: %.200s", answer.Status, text))
		}
		seen = append(seen, timing{time.Since(at), late})
	}
}

func main() {
	flag.Parse()
	ready := requests()
	began := time.Now()
	length := time.Duration(*seconds * float64(time.Second))
	all := &due{next: began, until: began.Add(length), rand: rand.New(rand.NewSource(*seed))}
	var took, late []time.Duration
	var lock sync.Mutex
	var group sync.WaitGroup
	for range *connect {
		group.Add(1)
		go func() {
			defer group.Done()
			mine := work(all, ready)
			lock.Lock()
			defer lock.Unlock()
			for _, one := range mine {
				took, late = append(took, one.took), append(late, one.late)
			}
		}()
	}
	group.Wait()
	wall := time.Since(began).Seconds()
	if len(took) == 0 {
		fail(fmt.Errorf("no request was answered"))
	}
	at := func(of []time.Duration, share float64) float64 {
		slices.Sort(of)
		return of[int(share*float64(len(of)-1))].Seconds() * 1000
	}
	fmt.Printf("{\"requests\":%d,\"seconds\":%.4f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"late_p99_ms\":%.3f,\"refused\":%d}\n",
		len(took), wall, at(took, 0.5), at(took, 0.99), at(late, 0.99), refused.Load())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
