// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// name is a Service's, with its addresses. There is no name server: pods have all names in their /etc/hosts, which is
// written anew when a Service comes or goes.
type name struct {
	namespace, name string
	addresses       []string
}

// followServices keeps the names, from the informer's start on.
func (n *Node) followServices(informer cache.SharedIndexInformer) {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.know(o.(*corev1.Service)) },
		UpdateFunc: func(_, o any) { n.know(o.(*corev1.Service)) },
		DeleteFunc: func(o any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
				n.mutex.Lock()
				delete(n.names, key)
				n.mutex.Unlock()
				n.tellNames()
			}
		},
	})
	mustFollow(err)
}

func (n *Node) know(service *corev1.Service) {
	found := name{namespace: service.Namespace, name: service.Name}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		found.addresses = service.Spec.ClusterIPs
	}
	n.mutex.Lock()
	n.names[service.Namespace+"/"+service.Name] = found
	n.mutex.Unlock()
	n.tellNames()
}

// tellNames writes the pods' hosts files.
func (n *Node) tellNames() {
	n.mutex.Lock()
	pods := []*Pod{}
	for _, p := range n.pods {
		pods = append(pods, p)
	}
	n.mutex.Unlock()
	for _, p := range pods {
		for _, c := range p.all() {
			if err := c.writeHosts(); err != nil && !os.IsNotExist(err) { // it has no root yet, or none any more
				log.Printf("%s/%s: %v", p.Namespace, p.Name, err)
			}
		}
	}
}

// hosts are the lines of a pod's hosts file about Services.
func (n *Node) hosts(namespace string) string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var lines []string
	for _, s := range n.names {
		full := s.name + "." + s.namespace
		told := []string{full, full + ".svc", full + ".svc.cluster.local"}
		if s.namespace == namespace {
			told = append(told, s.name)
		}
		for _, a := range s.addresses {
			lines = append(lines, a+" "+strings.Join(told, " ")+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// writeHosts writes the container's hosts file as it has to be now; whoever reads it finds the old one or the new.
func (c *Container) writeHosts() error {
	text := fmt.Sprintf("127.0.0.1 localhost\n::1 localhost\n%s %s\n", c.pod.network.address4, c.pod.Name)
	fresh, err := os.CreateTemp(filepath.Join(c.root, "etc"), "hosts")
	if err != nil {
		return err
	}
	defer fresh.Close()
	if _, err := fresh.WriteString(text + c.pod.node.hosts(c.pod.Namespace)); err != nil {
		return err
	}
	if err := fresh.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), filepath.Join(c.root, "etc", "hosts"))
}
