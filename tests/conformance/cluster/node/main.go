// SPDX-License-Identifier: Apache-2.0

// A node without containers: what a kubelet does for a pod, done with processes. Each pod gets a network namespace
// with an address of its own on a switch, each of its containers a process in it whose root is a folder. It serves
// the part of a kubelet's API that `kubectl logs` and `kubectl exec` need.
//
// Reading order: main.go (what it is told), pods.go (which pods there are), pod.go (the life of one), network.go,
// container.go, volumes.go, hosts.go, probe.go, kubelet.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Settings are what the command line says; they do not change.
type Settings struct {
	Kubeconfig string
	Name       string       // of the Node
	Address    netip.Addr   // where the kubelet's API is served
	Switch     string       // the namespace with the bridge
	Bridge     string       // that pods are plugged into
	Prefix     string       // of the pods' namespaces
	Folder     string       // of roots and logs
	Pods4      netip.Prefix // the bridge's network: the router is its first address
	Pods6      netip.Prefix
	FirstPod   int // number of the first address that a pod may have
	LastPod    int
	Images     string // a folder with a folder for each image, which stands in for it: what is in its root
}

func settings() *Settings {
	s := &Settings{}
	var address, pods4, pods6 string
	flag.StringVar(&s.Kubeconfig, "kubeconfig", "", "how to reach the API server")
	flag.StringVar(&s.Name, "name", "node-1", "of the Node")
	flag.StringVar(&address, "address", "127.0.0.1", "of the node")
	flag.StringVar(&s.Switch, "switch", "", "the namespace with the bridge")
	flag.StringVar(&s.Bridge, "bridge", "", "that pods are plugged into")
	flag.StringVar(&s.Prefix, "prefix", "pod", "of the pods' namespaces")
	flag.StringVar(&s.Folder, "folder", "", "of roots and logs")
	flag.StringVar(&pods4, "pods4", "198.18.1.0/24", "the pods' network; its first address routes")
	flag.StringVar(&pods6, "pods6", "2001:db8:1::/64", "likewise")
	flag.IntVar(&s.FirstPod, "first", 20, "number of the first address that a pod may have")
	flag.IntVar(&s.LastPod, "last", 239, "number of the last")
	flag.StringVar(&s.Images, "images", "", "a folder with a root for each image; on the file system of -folder")
	flag.Parse()
	s.Address = netip.MustParseAddr(address)
	s.Pods4, s.Pods6 = netip.MustParsePrefix(pods4), netip.MustParsePrefix(pods6)
	return s
}

func run() error {
	s := settings()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	node := &Node{Settings: s, client: client, addresses: newAddresses(s.FirstPod, s.LastPod),
		pods: map[string]*Pod{}, names: map[string]name{}}
	if err := node.register(ctx, node.serve); err != nil {
		return err
	}
	fmt.Println("ready")
	node.follow(ctx)
	node.endAll()
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}
