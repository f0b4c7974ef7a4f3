// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"context"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// What is not the same in go.mod's netstack and in go119.mod's, see glue_go119.go.

func address(ip []byte) tcpip.Address { return tcpip.AddrFromSlice(ip) }

// inject hands a received frame to the stack.
func inject(ep *channel.Endpoint, frame []byte) {
	packet := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	ep.InjectInbound(0, packet)
	packet.DecRef()
}

// next waits for a frame that the stack sends.
func next(ctx context.Context, ep *channel.Endpoint) []byte {
	packet := ep.ReadContext(ctx)
	defer packet.DecRef()
	return packet.ToView().AsSlice()
}
