// SPDX-License-Identifier: Apache-2.0

// Command grpc is both ends of gRPC for the end-to-end tests, Go's own implementation:
//
//	grpc serve PORT NAME [CERTIFICATE KEY]
//	    gRPC's interoperability server (grpc.testing.TestService). Answers say NAME in the header "served-by". Prints
//	    "ready", and then a line for each call: its method, and the metadata "who" that came with it. With PEM files by TLS.
//	grpc call [OPTION...] ADDRESS METHOD [NAME:VALUE...]
//	    so many calls of a method with an empty message; prints a line of JSON for each. The reply may be that of the
//	    conformance suite's echo server: then the line has what it says of itself and of the call.
//	grpc case [OPTION...] ADDRESS CASE...
//	    the cases of gRPC's interoperability tests with these names, against its server; prints "ok CASE" for each.
//	grpc stream [OPTION...] ADDRESS [NAME:VALUE...]
//	    a call with streams both ways that lasts: for each number on stdin a message that asks for so many bytes, and a
//	    line with how many came; at the end of stdin a line of JSON with the status.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	echopb "sigs.k8s.io/gateway-api/conformance/echo-basic/grpcechoserver"
)

// options of whoever calls.
type options struct {
	authority string
	ca        string
	times     int
	timeout   time.Duration
	words     []string
}

func parse(arguments []string) options {
	var o options
	flags := flag.NewFlagSet("grpc", flag.ExitOnError)
	flags.StringVar(&o.authority, "authority", "", "the call's :authority, and the server's name with TLS")
	flags.StringVar(&o.ca, "ca", "", "over TLS, the server's certificate is of this CA (a PEM file)")
	flags.IntVar(&o.times, "times", 1, "so many calls, one after the other")
	flags.DurationVar(&o.timeout, "timeout", 20*time.Second, "of each call: goes out as grpc-timeout")
	if err := flags.Parse(arguments); err != nil {
		log.Fatal(err)
	}
	o.words = flags.Args()
	return o
}

func (o options) dial() *grpc.ClientConn {
	transport := insecure.NewCredentials()
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			log.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport = credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: o.authority})
	}
	dial := []grpc.DialOption{grpc.WithTransportCredentials(transport)}
	if o.authority != "" {
		dial = append(dial, grpc.WithAuthority(o.authority))
	}
	conn, err := grpc.NewClient("passthrough:///"+o.words[0], dial...)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

// with gives the context the metadata of words like "name:value".
func with(ctx context.Context, words []string) context.Context {
	for _, word := range words {
		name, value, _ := strings.Cut(word, ":")
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	}
	return ctx
}

// said is a line about a call that has ended.
type said struct {
	Code     string              `json:"code"`
	Message  string              `json:"message"`
	Header   metadata.MD         `json:"header"`
	Trailer  metadata.MD         `json:"trailer"`
	Pod      string              `json:"pod,omitempty"`
	Method   string              `json:"method,omitempty"`
	Host     string              `json:"authority,omitempty"`
	Received map[string][]string `json:"received,omitempty"` // metadata that came to the server
}

func (s said) print() {
	line, err := json.Marshal(s)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func call(o options) {
	conn := o.dial()
	defer conn.Close()
	for range o.times {
		var s said
		reply := &echopb.EchoResponse{}
		ctx, cancel := context.WithTimeout(with(context.Background(), o.words[2:]), o.timeout)
		err := conn.Invoke(ctx, o.words[1], &echopb.EchoRequest{}, reply, grpc.Header(&s.Header), grpc.Trailer(&s.Trailer))
		cancel()
		s.Code, s.Message = status.Code(err).String(), status.Convert(err).Message()
		if about := reply.GetAssertions(); about != nil {
			s.Pod, s.Method, s.Host = about.GetContext().GetPod(), about.GetFullyQualifiedMethod(), about.GetAuthority()
			s.Received = map[string][]string{}
			for _, h := range about.GetHeaders() {
				s.Received[h.GetKey()] = append(s.Received[h.GetKey()], h.GetValue())
			}
		}
		s.print()
	}
}

// Each ends the program with a message if the server is not as it should be.
var cases = map[string]func(context.Context, testpb.TestServiceClient){
	"empty_unary":         func(c context.Context, t testpb.TestServiceClient) { interop.DoEmptyUnaryCall(c, t) },
	"large_unary":         func(c context.Context, t testpb.TestServiceClient) { interop.DoLargeUnaryCall(c, t) },
	"client_streaming":    func(c context.Context, t testpb.TestServiceClient) { interop.DoClientStreaming(c, t) },
	"server_streaming":    func(c context.Context, t testpb.TestServiceClient) { interop.DoServerStreaming(c, t) },
	"ping_pong":           func(c context.Context, t testpb.TestServiceClient) { interop.DoPingPong(c, t) },
	"empty_stream":        func(c context.Context, t testpb.TestServiceClient) { interop.DoEmptyStream(c, t) },
	"timeout_on_sleeping": func(c context.Context, t testpb.TestServiceClient) { interop.DoTimeoutOnSleepingServer(c, t) },
	"cancel_after_begin":  func(c context.Context, t testpb.TestServiceClient) { interop.DoCancelAfterBegin(c, t) },
	"cancel_after_first_response": func(c context.Context, t testpb.TestServiceClient) {
		interop.DoCancelAfterFirstResponse(c, t)
	},
	"custom_metadata":         func(c context.Context, t testpb.TestServiceClient) { interop.DoCustomMetadata(c, t) },
	"status_code_and_message": func(c context.Context, t testpb.TestServiceClient) { interop.DoStatusCodeAndMessage(c, t) },
	"special_status_message":  func(c context.Context, t testpb.TestServiceClient) { interop.DoSpecialStatusMessage(c, t) },
	"unimplemented_method":    nil, // of the same connection: see runCase
}

func runCase(conn *grpc.ClientConn, name string) {
	run, known := cases[name]
	if !known {
		log.Fatalf("no such case: %s", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if run == nil {
		interop.DoUnimplementedMethod(ctx, conn)
	} else {
		run(ctx, testpb.NewTestServiceClient(conn))
	}
	fmt.Println("ok", name)
}

func stream(o options) {
	conn := o.dial()
	defer conn.Close()
	call, err := testpb.NewTestServiceClient(conn).FullDuplexCall(with(context.Background(), o.words[1:]))
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for err == nil && lines.Scan() {
		size, _ := strconv.Atoi(lines.Text())
		wanted := []*testpb.ResponseParameters{{Size: int32(size)}}
		if err = call.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: wanted}); err != nil {
			break
		}
		var reply *testpb.StreamingOutputCallResponse
		if reply, err = call.Recv(); err == nil {
			fmt.Println(len(reply.GetPayload().GetBody()))
		}
	}
	_ = call.CloseSend()
	_, err = call.Recv()
	s := said{Trailer: call.Trailer()}
	s.Header, _ = call.Header()
	s.Code = status.Code(err).String()
	if err != nil && err.Error() == "EOF" {
		s.Code = "OK"
	} else {
		s.Message = status.Convert(err).Message()
	}
	s.print()
}

func serve(port, name string, pair []string) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		log.Fatal(err)
	}
	transport := insecure.NewCredentials()
	if len(pair) == 2 {
		if transport, err = credentials.NewServerTLSFromFile(pair[0], pair[1]); err != nil {
			log.Fatal(err)
		}
	}
	says := metadata.Pairs("served-by", name)
	note := func(ctx context.Context, method string) {
		came, _ := metadata.FromIncomingContext(ctx)
		fmt.Println(method, strings.Join(came.Get("who"), ","))
	}
	server := grpc.NewServer(
		grpc.Creds(transport),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, about *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			note(ctx, about.FullMethod)
			_ = grpc.SetHeader(ctx, says)
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, s grpc.ServerStream, about *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			note(s.Context(), about.FullMethod)
			_ = s.SetHeader(says)
			return next(service, s)
		}))
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println("ready")
	log.Fatal(server.Serve(listener))
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: grpc serve|call|case|stream ...")
	}
	switch o := os.Args[2:]; os.Args[1] {
	case "serve":
		serve(o[0], o[1], o[2:])
	case "call":
		call(parse(o))
	case "case":
		parsed := parse(o)
		conn := parsed.dial()
		defer conn.Close()
		for _, name := range parsed.words[1:] {
			runCase(conn, name)
		}
	case "stream":
		stream(parse(o))
	default:
		log.Fatalf("no such word: %s", os.Args[1])
	}
}
