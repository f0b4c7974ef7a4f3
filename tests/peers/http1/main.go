// SPDX-License-Identifier: Apache-2.0

// Go's net/http as a reader of requests: what does it make of these bytes?
//
// Standard input: a line of base64 for each connection. Standard output: for each a line of JSON, the requests that it took
// whole, as {"method", "body"} with the body in base64, and whether it refused something.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync"
	"time"
)

const (
	lineBytesMax = 1 << 20
	answerTime   = 5 * time.Second
)

type request struct {
	Method string `json:"method"`
	Body   []byte `json:"body"`
}

type verdict struct {
	Requests  []request `json:"requests"`
	IsRefused bool      `json:"refused"`
}

// What the handler saw, by the client's address.
var (
	lock sync.Mutex
	seen = map[string]*verdict{}
)

var status = regexp.MustCompile(`HTTP/1\.[01] ([45])\d\d `)

func handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	lock.Lock()
	defer lock.Unlock()
	v := seen[r.RemoteAddr]
	if err != nil {
		v.IsRefused = true
		panic(http.ErrAbortHandler)
	}
	v.Requests = append(v.Requests, request{r.Method, body})
}

// One connection that says `raw` and ends its direction.
func ask(address string, raw []byte) (*verdict, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	v := &verdict{Requests: []request{}}
	key := conn.LocalAddr().String()
	lock.Lock()
	seen[key] = v
	lock.Unlock()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	// An answer may come, and the connection end, before all is written.
	if _, err := conn.Write(raw); err == nil {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	answers, _ := io.ReadAll(conn)
	lock.Lock()
	defer lock.Unlock()
	v.IsRefused = v.IsRefused || status.Match(answers)
	return v, nil
}

func run() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{Handler: http.HandlerFunc(handle), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(lines.Bytes())))
		if err != nil {
			return err
		}
		v, err := ask(listener.Addr().String(), raw)
		if err != nil {
			return err
		}
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
