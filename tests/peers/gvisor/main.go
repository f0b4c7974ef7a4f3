// SPDX-License-Identifier: Apache-2.0

// A peer whose TCP/IP is gVisor's netstack: an HTTP server, or one HTTP request, straight on an interface whose kernel
// has no address. README.md of the folder above has the command line, which both peers share.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const usage = "gvisor INTERFACE ADDRESS4/LEN ADDRESS6/LEN serve PORT | get URL ADDRESS PORT | post URL ADDRESS PORT BYTES"

func number(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	return uint16(n)
}

// serve answers until it is ended; an IPv6 listener takes IPv4 connections, too.
func serve(s *stack.Stack, port uint16) {
	listener, err := gonet.ListenTCP(s, tcpip.FullAddress{NIC: nic, Port: port}, ipv6.ProtocolNumber)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, http.HandlerFunc(answer)))
}

// client speaks to one address, whatever the URL's host is.
func client(s *stack.Stack, ip net.IP, port uint16) *http.Client {
	family := tcpip.NetworkProtocolNumber(ipv6.ProtocolNumber)
	if ip4 := ip.To4(); ip4 != nil {
		ip, family = ip4, ipv4.ProtocolNumber
	}
	remote := tcpip.FullAddress{NIC: nic, Addr: address(ip), Port: port}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return gonet.DialContextTCP(ctx, s, remote, family)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}
}

// tell prints what came back.
func tell(response *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	length, isIntact, err := check(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"status": response.StatusCode, "length": length, "intact": isIntact})
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 6 {
		log.Fatal("usage: ", usage)
	}
	s := open(os.Args[1], os.Args[2:4])
	verb, args := os.Args[4], os.Args[5:]
	switch {
	case verb == "serve" && len(args) == 1:
		serve(s, number(args[0]))
	case verb == "get" && len(args) == 3:
		tell(client(s, net.ParseIP(args[1]), number(args[2])).Get(args[0]))
	case verb == "post" && len(args) == 4:
		n, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			log.Fatal(err)
		}
		request, err := http.NewRequest("POST", args[0], pattern(n))
		if err != nil {
			log.Fatal(err)
		}
		request.ContentLength = n
		answerOf(client(s, net.ParseIP(args[1]), number(args[2])).Do(request))
	default:
		log.Fatal("usage: ", usage)
	}
}
