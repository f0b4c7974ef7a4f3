// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"log"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const registerEvery, registerLimit = 200 * time.Millisecond, 30 * time.Second

// Node is the one node of the cluster: all pods are its.
type Node struct {
	*Settings
	client    kubernetes.Interface
	addresses *Addresses

	mutex sync.Mutex
	pods  map[string]*Pod // by UID
	names map[string]name // of Services
	wait  sync.WaitGroup  // for pods that are ending
}

// register serves the kubelet's API and makes the Node object, Ready, of which it is a part.
func (n *Node) register(ctx context.Context, serve func() (int32, error)) error {
	port, err := serve()
	if err != nil {
		return err
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{
		"kubernetes.io/hostname": n.Name, "kubernetes.io/os": "linux"}}}
	node.Spec.PodCIDR = n.Pods4.String()
	node.Spec.PodCIDRs = []string{n.Pods4.String(), n.Pods6.String()}
	err = wait.PollUntilContextTimeout(ctx, registerEvery, registerLimit, true, func(ctx context.Context) (bool, error) {
		_, err := n.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		return err == nil || errors.IsAlreadyExists(err), nil
	})
	if err != nil {
		return err
	}
	found, err := n.client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	found.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.Address.String()},
		{Type: corev1.NodeHostName, Address: n.Name}}
	found.Status.DaemonEndpoints.KubeletEndpoint.Port = port
	now := metav1.Now()
	found.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue,
		Reason: "Serves", LastHeartbeatTime: now, LastTransitionTime: now}}
	_, err = n.client.CoreV1().Nodes().UpdateStatus(ctx, found, metav1.UpdateOptions{})
	return err
}

// follow starts and ends pods as the API server tells of them, until the context is done.
func (n *Node) follow(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(n.client, 0)
	n.followServices(factory.Core().V1().Services().Informer())
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.see(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.see(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if last, is := o.(cache.DeletedFinalStateUnknown); is {
				o = last.Obj
			}
			n.end(string(o.(*corev1.Pod).UID))
		},
	})
	mustFollow(err)
	factory.Start(ctx.Done())
	<-ctx.Done()
}

// mustFollow ends the program where an informer takes no handler: one that was stopped, and ours were just made.
func mustFollow(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// see is told of every pod that is new or has changed.
func (n *Node) see(pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil {
		if !n.end(string(pod.UID)) { // it was to end before we saw it
			n.forget(pod)
		}
		return
	}
	if pod.Spec.NodeName != "" && pod.Spec.NodeName != n.Name {
		return
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.pods[string(pod.UID)] != nil {
		return
	}
	p := newPod(n, pod)
	n.pods[string(pod.UID)] = p
	n.wait.Go(p.live)
}

// end tells a pod to end; whether there is one.
func (n *Node) end(uid string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	p := n.pods[uid]
	if p != nil {
		p.stop()
	}
	return p != nil
}

// endAll ends what runs, and waits for it.
func (n *Node) endAll() {
	n.mutex.Lock()
	for _, p := range n.pods {
		p.stop()
	}
	n.mutex.Unlock()
	n.wait.Wait()
}

// forget takes the object away, as a kubelet does when nothing of the pod runs any more.
func (n *Node) forget(pod *corev1.Pod) {
	n.mutex.Lock()
	delete(n.pods, string(pod.UID))
	n.mutex.Unlock()
	now := int64(0)
	err := n.client.CoreV1().Pods(pod.Namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID))})
	if err != nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
		log.Printf("%s/%s: %v", pod.Namespace, pod.Name, err)
	}
}

// find gives the pod of that name that runs, or nil.
func (n *Node) find(namespace, name string) *Pod {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, p := range n.pods {
		if p.Namespace == namespace && p.Name == name {
			return p
		}
	}
	return nil
}
