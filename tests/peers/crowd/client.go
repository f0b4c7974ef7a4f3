// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

const (
	key     = "dGhlIHNhbXBsZSBub25jZQ=="
	patient = 60 * time.Second // with a connection, or with an answer
	chatty  = time.Second
)

// socket is a WebSocket at the client.
type socket struct {
	ender
	lower net.Conn // of HTTP/1.1
}

type crowd struct {
	address, host, path, ca string
	perConn, atOnce         int
	locals                  []string
	roots                   *x509.CertPool
	mu                      sync.Mutex // of dialed
	dialed                  int
	sockets                 []*socket
	opening                 sync.Mutex // of conns
	conns                   []*h2conn
}

// h1 is a connection with what was read of it already.
type h1 struct {
	*bufio.Reader
	conn net.Conn
}

func (h *h1) Write(b []byte) (int, error) { return h.conn.Write(b) }

func (h *h1) CloseWrite() error {
	return h.conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *crowd) dial(protocol string) (net.Conn, error) {
	c.mu.Lock()
	from := c.locals[c.dialed%len(c.locals)]
	c.dialed++
	c.mu.Unlock()
	dialer := net.Dialer{Timeout: patient}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial("tcp", c.address)
	if err != nil || c.ca == "" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: c.roots, ServerName: c.host, NextProtos: []string{protocol}})
	secure.SetDeadline(time.Now().Add(patient))
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	secure.SetDeadline(time.Time{})
	if got := secure.ConnectionState().NegotiatedProtocol; got != protocol {
		conn.Close()
		return nil, fmt.Errorf("protocol %q", got)
	}
	return secure, nil
}

func (c *crowd) openH1() (*socket, error) {
	conn, err := c.dial("http/1.1")
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patient))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", c.path, c.host, key)
	r := bufio.NewReaderSize(conn, 256)
	var answer *http.Response
	if err == nil {
		answer, err = http.ReadResponse(r, nil)
	}
	if err == nil && (answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Accept") != acceptOf(key)) {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return &socket{ender: &h1{r, conn}, lower: conn}, nil
}

func (c *crowd) connectH2() (*h2conn, error) {
	conn, err := c.dial("h2")
	if err != nil {
		return nil, err
	}
	made := newH2(conn, conn)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := made.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}); err != nil {
		return nil, err
	}
	go made.read()
	select {
	case <-made.settings:
	case <-time.After(patient):
		return nil, fmt.Errorf("no settings came")
	}
	if !made.allows {
		return nil, fmt.Errorf("no WebSocket by HTTP/2")
	}
	return made, nil
}

// room is the connection for the n-th.
func (c *crowd) room(n int) (*h2conn, error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	for len(c.conns) <= n/c.perConn {
		made, err := c.connectH2()
		if err != nil {
			return nil, err
		}
		c.conns = append(c.conns, made)
	}
	return c.conns[n/c.perConn], nil
}

func (c *crowd) openH2(n int) (*socket, error) {
	conn, err := c.room(n)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if c.ca != "" {
		scheme = "https"
	}
	conn.mu.Lock()
	if conn.last == 0 {
		conn.last = 1
	} else {
		conn.last += 2
	}
	s := conn.add(conn.last)
	err = conn.writeHead(s.id, ":method", "CONNECT", ":protocol", "websocket", ":scheme", scheme, ":authority", c.host,
		":path", c.path, "sec-websocket-version", "13")
	conn.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.status == "" && s.err == nil {
		s.more.Wait()
	}
	if s.status == "" {
		return nil, s.err
	}
	if s.status != "200" {
		return nil, fmt.Errorf("status %s", s.status)
	}
	return &socket{ender: s}, nil
}

// each does something to every one of n, some at a time; what errors there were, and how many of each.
func (c *crowd) each(n int, what func(int) error) map[string]int {
	var work sync.WaitGroup
	var mu sync.Mutex
	found := map[string]int{}
	next := make(chan int)
	for i := 0; i < c.atOnce; i++ {
		work.Add(1)
		go func() {
			defer work.Done()
			for k := range next {
				if err := what(k); err != nil {
					mu.Lock()
					found[err.Error()]++
					mu.Unlock()
				}
			}
		}()
	}
	for k := 0; k < n; k++ {
		next <- k
	}
	close(next)
	work.Wait()
	return found
}

func told(right int, wrong map[string]int) map[string]any {
	for _, n := range wrong {
		right -= n
	}
	return map[string]any{"right": right, "wrong": few(wrong)}
}

// few of the kinds of what went wrong: addresses make each one different.
func few(wrong map[string]int) []string {
	said := []string{}
	for what, n := range wrong {
		said = append(said, fmt.Sprintf("%d: %s", n, what))
	}
	sort.Strings(said)
	if len(said) > 5 {
		said = said[:5]
	}
	return said
}

func (c *crowd) open(n int) map[string]any {
	if c.ca != "" && c.roots == nil {
		text, err := os.ReadFile(c.ca)
		if err != nil {
			fail(err)
		}
		c.roots = x509.NewCertPool()
		c.roots.AppendCertsFromPEM(text)
	}
	first := len(c.sockets)
	c.sockets = append(c.sockets, make([]*socket, n)...)
	wrong := c.each(n, func(k int) error {
		var s *socket
		var err error
		if c.perConn == 0 {
			s, err = c.openH1()
		} else {
			s, err = c.openH2(first + k)
		}
		if err != nil {
			return err
		}
		c.sockets[first+k] = s
		return s.echo(fmt.Sprintf("first-%d", first+k))
	})
	return told(n, wrong)
}

// echo says something, which has to come back.
func (s *socket) echo(message string) error {
	if s == nil {
		return fmt.Errorf("it was never opened")
	}
	if _, err := s.Write(frameOf(message, true)); err != nil {
		return err
	}
	return s.expect(message)
}

func (s *socket) expect(message string) error {
	if s.lower != nil {
		s.lower.SetReadDeadline(time.Now().Add(patient))
		defer s.lower.SetReadDeadline(time.Time{})
	}
	got, err := readMessage(s, false)
	if err == nil && got != message {
		err = fmt.Errorf("another message")
	}
	return err
}

func (c *crowd) echo(n int, tag string) map[string]any {
	return told(n, c.each(n, func(k int) error { return c.sockets[k].echo(fmt.Sprintf("%s-%d", tag, k)) }))
}

// half ends it, and sees that the other direction lives on meanwhile.
func (s *socket) half(isFirst bool) error {
	if isFirst {
		if err := s.CloseWrite(); err != nil {
			return err
		}
		if err := s.expect(lastWords); err != nil {
			return err
		}
		return s.end()
	}
	if err := s.echo("bye"); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if _, err := s.Write(frameOf("after your end", true)); err != nil {
		return err
	}
	return s.CloseWrite()
}

// end is what has to come next.
func (s *socket) end() error {
	if s.lower != nil {
		s.lower.SetReadDeadline(time.Now().Add(patient))
	}
	_, err := readMessage(s, false)
	switch err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("a message instead of the end")
	}
	return err
}

func (c *crowd) half() map[string]any {
	return told(len(c.sockets), c.each(len(c.sockets), func(k int) error { return c.sockets[k].half(k%2 == 0) }))
}

// ended waits for the ends of all but the first n, with which it talks meanwhile.
func (c *crowd) ended(n int) map[string]any {
	var work, talking sync.WaitGroup
	var mu sync.Mutex
	cut, other := 0, map[string]int{}
	isOver := make(chan struct{})
	talking.Add(1)
	go func() {
		defer talking.Done()
		for {
			select {
			case <-isOver:
				return
			case <-time.After(chatty):
				for what, k := range c.each(n, func(k int) error { return c.sockets[k].echo("still here") }) {
					mu.Lock()
					other[what] += k
					mu.Unlock()
				}
			}
		}
	}()
	for _, s := range c.sockets[n:] {
		work.Add(1)
		go func(s *socket) {
			defer work.Done()
			_, err := readMessage(s, false)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && err != io.EOF {
				cut++
			} else {
				other[fmt.Sprint(err)]++
			}
		}(s)
	}
	work.Wait()
	close(isOver)
	talking.Wait()
	return map[string]any{"cut": cut, "other": few(other)}
}

func (c *crowd) close() map[string]any {
	for _, s := range c.sockets {
		if s != nil && s.lower != nil {
			s.lower.Close()
		}
	}
	for _, conn := range c.conns {
		conn.lower.Close()
	}
	n := len(c.sockets)
	c.sockets, c.conns = nil, nil
	return map[string]any{"closed": n}
}
