// SPDX-License-Identifier: Apache-2.0

// Crowd is WebSockets (RFC 6455) by the ten thousand, at both ends, by HTTP/1.1 and by HTTP/2 (RFC 8441).
//
//	crowd serve PORT [plain]     echoes messages; the first bytes of a connection say which HTTP it is. Plain: HTTP/2
//	                             without SETTINGS_ENABLE_CONNECT_PROTOCOL, and requests that are no WebSocket
//	crowd ask OPTIONS            opens WebSockets, and then does what the lines of its standard input say
//
// Lines that ask takes, each answered by one line of JSON:
//
//	open N                       so many more, each of which has its first message back
//	echo TAG                     a message on each, which has to come back
//	chat N TAG                   the same on the first N only
//	half                         each is ended: on every other one by us first, on the others by the server
//	ended N                      waits until all but the first N have ended, and chats with those; how they did
//	close                        drops the connections
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func say(what map[string]any) {
	line, err := json.Marshal(what)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

// number is the n-th word of a line; 0 where there is none.
func number(words []string, n int) int {
	if n >= len(words) {
		return 0
	}
	v, err := strconv.Atoi(words[n])
	if err != nil {
		fail(err)
	}
	return v
}

func obey(c *crowd, words []string) map[string]any {
	switch words[0] {
	case "open":
		return c.open(number(words, 1))
	case "echo":
		return c.echo(len(c.sockets), words[1])
	case "chat":
		return c.echo(number(words, 1), words[2])
	case "half":
		return c.half()
	case "ended":
		return c.ended(number(words, 1))
	case "close":
		return c.close()
	}
	return map[string]any{"unknown": words[0]}
}

func ask(arguments []string) {
	c := &crowd{}
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	flags.StringVar(&c.address, "address", "", "address and port")
	flags.StringVar(&c.host, "host", "", "host name")
	flags.StringVar(&c.path, "path", "/", "path")
	flags.StringVar(&c.ca, "ca", "", "file of the CA: speak TLS")
	flags.IntVar(&c.perConn, "streams", 0, "by HTTP/2, so many streams a connection; 0: by HTTP/1.1")
	flags.IntVar(&c.atOnce, "at-once", 64, "how many are opened, or spoken to, at a time")
	locals := flags.String("locals", "", "addresses to connect from, in turn")
	flags.Parse(arguments)
	c.locals = strings.Split(*locals, ",")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		say(obey(c, strings.Fields(lines.Text())))
	}
}

func main() {
	switch {
	case len(os.Args) >= 3 && os.Args[1] == "serve":
		fail(serve(os.Args[2], len(os.Args) > 3 && os.Args[3] == "plain"))
	case len(os.Args) >= 2 && os.Args[1] == "ask":
		ask(os.Args[2:])
	default:
		fail(fmt.Errorf("usage: crowd serve PORT [plain] | crowd ask OPTIONS"))
	}
}
