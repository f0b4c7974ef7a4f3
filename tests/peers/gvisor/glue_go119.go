// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package main

import (
	"context"

	"gvisor.dev/gvisor/pkg/bufferv2"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// As glue.go, for the netstack of 2022, the last that Debian 12's Go builds.

func address(ip []byte) tcpip.Address { return tcpip.Address(ip) }

func inject(ep *channel.Endpoint, frame []byte) {
	packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: bufferv2.MakeWithData(frame)})
	ep.InjectInbound(0, packet)
	packet.DecRef()
}

func next(ctx context.Context, ep *channel.Endpoint) []byte {
	packet := ep.ReadContext(ctx)
	defer packet.DecRef()
	return packet.ToView().AsSlice()
}
