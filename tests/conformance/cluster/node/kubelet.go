// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"
)

const certificateDays = 2

// serve answers on a port of its own choice what an API server asks a kubelet; the port.
func (n *Node) serve() (int32, error) {
	certificate, err := selfSigned(n.Address.AsSlice())
	if err != nil {
		return 0, err
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(n.Address.String(), "0"),
		&tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return 0, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.logs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", n.exec)
	go func() { log.Print(http.Serve(listener, mux)) }()
	return int32(listener.Addr().(*net.TCPAddr).Port), nil
}

// selfSigned is a certificate that API servers take, which are not told of an authority.
func selfSigned(address net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, certificateDays),
		IPAddresses: []net.IP{address}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// asked is the container that a request names; it answers itself when there is none.
func (n *Node) asked(w http.ResponseWriter, r *http.Request) *Container {
	if p := n.find(r.PathValue("namespace"), r.PathValue("pod")); p != nil {
		if c := p.container(r.PathValue("container")); c != nil {
			return c
		}
	}
	http.Error(w, "no such container", http.StatusNotFound)
	return nil
}

func (n *Node) logs(w http.ResponseWriter, r *http.Request) {
	c := n.asked(w, r)
	if c == nil {
		return
	}
	query := r.URL.Query()
	want := Asked{tail: -1, stamps: query.Get("timestamps") == "true", follow: query.Get("follow") == "true"}
	if tail, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		want.tail = tail
	}
	if seconds, err := strconv.Atoi(query.Get("sinceSeconds")); err == nil {
		want.since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	if since, err := time.Parse(time.RFC3339, query.Get("sinceTime")); err == nil {
		want.since = since
	}
	w.Header().Set("Content-Type", "text/plain")
	flush := func() {
		if f, can := w.(http.Flusher); can {
			f.Flush()
		}
	}
	if err := c.log.copy(w, want, r.Context().Done(), flush); err != nil {
		log.Printf("%s: %v", r.URL.Path, err)
	}
}
