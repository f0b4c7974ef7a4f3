// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log"
	"net"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	nic            = 1
	queueFrames    = 4096 // of the channel: more than a window holds
	ethernetBytes  = 14
	frameBytes     = 2048
	receiveBytes   = 8 << 20 // of the packet socket
	allProtocols   = 0x0300  // ETH_P_ALL in network order
	packetOutgoing = 4       // PACKET_OUTGOING: our own frames
)

// packetSocket opens the interface for whole frames.
func packetSocket(i *net.Interface) int {
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, allProtocols)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: allProtocols, Ifindex: i.Index})
	}
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receiveBytes)
	}
	if err != nil {
		log.Fatal(err)
	}
	return fd
}

// receive gives the frames for us to the stack: the switch floods those whose receiver it does not know.
func receive(fd int, i *net.Interface, ep *channel.Endpoint) {
	for {
		frame := make([]byte, frameBytes)
		n, from, err := syscall.Recvfrom(fd, frame, 0)
		if err != nil {
			log.Fatal(err)
		}
		sender, isLink := from.(*syscall.SockaddrLinklayer)
		isOurs := n >= ethernetBytes && (frame[0]&1 != 0 || string(frame[:6]) == string(i.HardwareAddr))
		if isLink && sender.Pkttype != packetOutgoing && isOurs {
			inject(ep, frame[:n])
		}
	}
}

// send puts the stack's frames on the wire; a full device loses them, as a wire would.
func send(fd int, ep *channel.Endpoint) {
	for {
		syscall.Write(fd, next(context.Background(), ep))
	}
}

func must(err tcpip.Error) {
	if err != nil {
		log.Fatal(err)
	}
}

// open makes the stack with the interface's MAC and these addresses; their prefixes are on the link.
func open(name string, addresses []string) *stack.Stack {
	i, err := net.InterfaceByName(name)
	if err != nil {
		log.Fatal(err)
	}
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{
			ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	must(s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack))
	ep := channel.New(queueFrames, uint32(i.MTU+ethernetBytes), tcpip.LinkAddress(i.HardwareAddr))
	must(s.CreateNIC(nic, ethernet.New(ep)))
	var routes []tcpip.Route
	for _, text := range addresses {
		ip, prefix, err := net.ParseCIDR(text)
		if err != nil {
			log.Fatal(err)
		}
		family := tcpip.NetworkProtocolNumber(ipv6.ProtocolNumber)
		if ip4 := ip.To4(); ip4 != nil {
			ip, family = ip4, ipv4.ProtocolNumber
		}
		bits, _ := prefix.Mask.Size()
		with := tcpip.AddressWithPrefix{Address: address(ip), PrefixLen: bits}
		must(s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: family, AddressWithPrefix: with},
			stack.AddressProperties{}))
		routes = append(routes, tcpip.Route{Destination: with.Subnet(), NIC: nic})
	}
	s.SetRouteTable(routes)
	fd := packetSocket(i)
	go receive(fd, i, ep)
	go send(fd, ep)
	return s
}

// inject hands a received frame to the stack.
func inject(ep *channel.Endpoint, frame []byte) {
	packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: payload(frame)})
	ep.InjectInbound(0, packet)
	packet.DecRef()
}

// next waits for a frame that the stack sends.
func next(ctx context.Context, ep *channel.Endpoint) []byte {
	packet := ep.ReadContext(ctx)
	defer packet.DecRef()
	return packet.ToView().AsSlice()
}
